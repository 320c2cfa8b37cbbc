"""Digital operations that take long in numpy: values to codes in one pass. Equal to `cimspec.quant.apply` bit for bit.

Arrays are flat; other threads run meanwhile, and none may resize one.
"""

from libc.stdint cimport int16_t, int64_t


cdef extern from "digital.h" nogil:
    void cim_codes_of_codes(const int16_t*, Py_ssize_t, const double*, Py_ssize_t, double, double, int16_t*)
    void cim_codes_of_integers(const int64_t*, Py_ssize_t, const double*, Py_ssize_t, double, double, int16_t*)
    void cim_codes_of_reals(const double*, Py_ssize_t, const double*, Py_ssize_t, double, double, int16_t*)
    void cim_codes_of_sums(
        const double*, const double*, Py_ssize_t, const double*, const double*, Py_ssize_t, double, double, int16_t*
    )


ctypedef fused number:
    int16_t
    int64_t
    double


def requantize(
    const number[::1] values,    # IN
    const double[::1] factors,   # IN, for one value after the other, over and over
    int16_t low,
    int16_t high,
    int16_t[::1] codes,          # OUT, as many as values
):
    """`clip(rint(values * factors), low, high)`, in float64."""
    cdef Py_ssize_t count = values.shape[0], period = factors.shape[0]
    if codes.shape[0] != count or period == 0:
        raise ValueError("there are factors, and a code for each value")
    if count == 0:
        return
    with nogil:
        if number is int16_t:
            cim_codes_of_codes(&values[0], count, &factors[0], period, low, high, &codes[0])
        elif number is int64_t:
            cim_codes_of_integers(&values[0], count, &factors[0], period, low, high, &codes[0])
        else:
            cim_codes_of_reals(&values[0], count, &factors[0], period, low, high, &codes[0])


def add_codes(
    const double[::1] a,           # IN
    const double[::1] b,           # IN, as many
    const double[::1] a_factors,   # IN, for one value after the other, over and over
    const double[::1] b_factors,   # IN, as many
    int16_t low,
    int16_t high,
    int16_t[::1] codes,            # OUT, as many as values
):
    """`clip(rint(a * a_factors + b * b_factors), low, high)`, each operation rounded to float64."""
    cdef Py_ssize_t count = a.shape[0], period = a_factors.shape[0]
    if b.shape[0] != count or codes.shape[0] != count or b_factors.shape[0] != period or period == 0:
        raise ValueError("there are two factors, two values and a code for each place")
    if count == 0:
        return
    with nogil:
        cim_codes_of_sums(
            &a[0], &b[0], count, &a_factors[0], &b_factors[0], period, low, high, &codes[0]
        )
