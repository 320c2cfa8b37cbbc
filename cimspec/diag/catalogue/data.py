"""45x: data in files of the user, and whether images and labels make sense."""

from cimspec.diag.catalogue.code import Code

CODES = (
    Code(
        "CIM450",
        "data file damaged",
        what="A file of `data` is not of the format that its function reads, or is cut short.",
        why="Headers are compared with what the files hold before anything is read. Nothing in a file is executed: "
        "arrays of Python objects are refused, pickles are taken apart without running them.",
        example='data d = npz("digits.npy")   # one array, not an archive of them',
        fix='data d = npz("digits.npz")   # numpy.savez("digits.npz", images = images, labels = labels)',
    ),
    Code(
        "CIM451",
        "data too large",
        what="The images take more than 4 GB, in the file or as they are used (4 bytes for each value).",
        why="All images of a data set are in memory while a network is trained on them.",
        example='data d = folder("photos", resize = 224 x 224)   # of 100,000 images',
        fix='data d = folder("photos", resize = 224 x 224, limit = 5000)',
    ),
    Code(
        "CIM452",
        "data incomplete",
        what="The source lacks arrays, batches or folders that its function reads, or a class has no image.",
        why="`npz` reads `images` and `labels`, or `x_train`, `y_train`, `x_test`, `y_test`, or `train_images` and so "
        "on; `cifar` the batches of the authors' archives; `folder` PNG and JPEG images in a folder for each class.",
        example='data d = npz("digits.npz")   # which holds `pixels` and `labels`',
        fix='data d = npz("digits.npz")   # which holds `images` and `labels`',
    ),
    Code(
        "CIM453",
        "images and labels do not match",
        what="There are not as many labels as images, or arrays have shapes that are none of images or of labels.",
        why="Images are [images, height, width], or have channels before height or, with `layout = nhwc`, last; all "
        "have one shape. There is one label for each.",
        example='data d = idx(images = "t10k-images-idx3-ubyte", labels = "train-labels-idx1-ubyte")',
        fix='data d = idx(images = "train-images-idx3-ubyte", labels = "train-labels-idx1-ubyte")',
    ),
    Code(
        "CIM454",
        "label is no class number",
        what="A label is negative or not a whole number.",
        why="Classes are numbered from 0, as the network's outputs are.",
        example="labels = [-1, 1, 1, -1]",
        fix="labels = [0, 1, 1, 0]",
    ),
    Code(
        "CIM455",
        "class without images",
        what="No training image is of a class whose number is below the largest; a warning for the other splits.",
        why="A network does not learn a class that it never sees. Often labels start at 1, or the images of a class "
        "are too few for three splits.",
        example="labels = [1, 2, 3]   # nothing is of class 0",
        fix="labels = [0, 1, 2]",
    ),
    Code(
        "CIM456",
        "pixel is no number",
        what="Images hold NaN or infinite values.",
        why="One such value makes every weight of a network NaN in a single step of training.",
        example="images / images.max(axis=(1, 2), keepdims=True)   # 0 / 0 for black images",
        fix="images / 255",
    ),
    Code(
        "CIM457",
        "split without images",
        what="Training, validation or test split is empty.",
        why="Training needs the first, a search the second, the reported accuracy the third.",
        example='data d = npz("three_images.npz", test = 10 %)',
        fix='data d = npz("three_hundred_images.npz", test = 10 %)',
    ),
    Code(
        "CIM458",
        "images without content",
        what="All images of a split are the same, or some have one value everywhere.",
        why="Nothing can be learned from them; often an image was not read, or `scale` made it black.",
        example="images = numpy.zeros((1000, 28, 28))",
        fix="images = numpy.stack([numpy.asarray(Image.open(path)) for path in paths])",
    ),
    Code(
        "CIM459",
        "option does not fit the data",
        what="An option of the source does not go with what it holds.",
        why="`crop` is no larger than the images, `mean` and `std` have one number or one for each channel, `test` and "
        "`validation` are for sources that do not set such images apart, and images without `resize` have one size.",
        example="data d = idx(..., resize = 28 x 28, crop = 32 x 32)",
        fix="data d = idx(..., resize = 32 x 32, crop = 28 x 28)",
    ),
)
