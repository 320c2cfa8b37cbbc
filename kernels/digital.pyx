"""Digital operations that take long in numpy: values to codes in one pass. Equal to `cimspec.quant.apply` bit for bit."""

from libc.stdint cimport int16_t, int64_t


cdef extern from "digital.h" nogil:
    void cim_codes_of_integers(
        const int64_t* values, Py_ssize_t count, const double* factors, Py_ssize_t period, double low, double high,
        int16_t* codes
    )
    void cim_codes_of_reals(
        const double* values, Py_ssize_t count, const double* factors, Py_ssize_t period, double low, double high,
        int16_t* codes
    )


ctypedef fused number:
    int64_t
    double


def requantize(
    const number[::1] values,    # IN
    const double[::1] factors,   # IN, for one value after the other, over and over
    int16_t low,
    int16_t high,
    int16_t[::1] codes,          # OUT, as many as values
):
    """`clip(rint(values * factors), low, high)`, in float64. Other threads run meanwhile; none may resize an array."""
    if codes.shape[0] != values.shape[0] or factors.shape[0] == 0:
        raise ValueError("there are factors, and a code for each value")
    if values.shape[0] == 0:
        return
    with nogil:
        if number is int64_t:
            cim_codes_of_integers(
                &values[0], values.shape[0], &factors[0], factors.shape[0], low, high, &codes[0]
            )
        else:
            cim_codes_of_reals(&values[0], values.shape[0], &factors[0], factors.shape[0], low, high, &codes[0])
