r"""Compiled single-precision Monte Carlo kernels for the Heisenberg Hamiltonian on a square lattice.

Layout. The sites of each checkerboard colour lie in three contiguous planes, one per spin component:
site (row y, lane j) of colour c is the column x = 2 j + ((y + c) & 1). All four neighbours have the
other colour. Those above and below have the same lane; those left and right have the lanes
j - 1 + p and j + p with p = (y + c) & 1. One ghost row or column beyond every edge holds a copy of the
opposite edge (periodic) or zeros (open), so that every neighbour is a load at a constant offset and the loops
over lanes become vector instructions. Rows are padded to whole vectors; padding lanes compute values that
nothing reads. The sites that a mask leaves out are zero vectors, which the reflections and rotations of
over-relaxation and relaxation leave zero, and the heat bath multiplies its new spins by the mask.

The kernels know the Neel interaction only: the Bloch energy of spins turned by 90 degrees about z is the same.
Random numbers are xoshiro128+ (Blackman and Vigna, https://doi.org/10.1145/3460772), one generator per lane.

Numba marks the arguments `noalias` here: arrays given to one call must not overlap. All kernels release the
interpreter lock and start no threads.

What the kernels inline stands in their file: Numba's cache notices changes of a kernel's own file only.
"""

from typing import Any

import numba
import numpy as np
from numba.core.compiler import Compiler

from keras_evae.monte_carlo.compilation import compiled

# Lanes per vector and width of the margins: 16 floats are one 64-byte cache line and one AVX-512 register.
VECTOR = 16
# The relaxation goes in cycles: sweeps with a long memory, then some with a short one, and the torque is measured. In
# the first cycle a spin loses this share of its angle to the field in a sweep, in each further one a smaller share,
# down to the least; the sweeps are so many that these shares add up to the length.
FIRST_LOSS, LOSS_RATIO, LEAST_LOSS, CYCLE_LENGTH = 0.015, 0.95, 0.003, 1.7
# Overshoot of the sweeps with a short memory, and their number.
SHORT_MEMORY, SHORT_SWEEPS = np.float32(0.5), 7
# Squares of fields below this count as zero (fields below 1e-15).
VANISHING = np.float32(1e-30)
# Below this |h|/T the inverse of the heat-bath distribution is replaced by its series, the error of which is smaller.
WEAK_FIELD = np.float32(1e-2)
# Square of the number whose phase is half the solid angle of a triangle: opposite corners have less.
NEARLY_OPPOSITE = 1e-7
ZERO, HALF, ONE, TWO = (np.float32(value) for value in (0.0, 0.5, 1.0, 2.0))


class _NoAliasCompiler(Compiler):
    """Numba's compiler with the `noalias` flag: without it each row is tested for overlap (1.2 to 1.6 x the time).

    The views of one buffer share a reference count, which is only ever changed atomically, so they count as distinct.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.state.flags.noalias = True


# Not `fastmath=True`, which would also drop the handling of NaN.
_FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "arcp", "nsz"}}
_inline = compiled(forceinline=True, **_FLAGS)
_kernel = compiled(nogil=True, pipeline_class=_NoAliasCompiler, **_FLAGS)
_general_kernel = compiled(nogil=True, **_FLAGS)


@numba.extending.intrinsic
def _bits(_context, value):
    """The 32 bits of a float as a signed integer."""
    signature = numba.int32(numba.float32)
    return signature, lambda context, builder, _, args: builder.bitcast(args[0], context.get_value_type(numba.int32))


@numba.extending.intrinsic
def _float(_context, value):
    """The float with the given 32 bits."""
    signature = numba.float32(numba.uint32)
    return signature, lambda context, builder, _, args: builder.bitcast(args[0], context.get_value_type(numba.float32))


@_inline
def next_bits(random, lane):
    """32 random bits of one lane's xoshiro128+ generator; `random` holds the four words of all lanes."""
    a, b, c, d = random[0][lane], random[1][lane], random[2][lane], random[3][lane]
    # Every operation is cut back to 32 bits at once: Numba would carry on in 64, at half the vector width.
    result = np.uint32(a + d)
    shifted = np.uint32(b << np.uint32(9))
    c = np.uint32(c ^ a)
    d = np.uint32(d ^ b)
    random[0][lane] = np.uint32(a ^ d)
    random[1][lane] = np.uint32(b ^ c)
    random[2][lane] = np.uint32(c ^ shifted)
    random[3][lane] = np.uint32(np.uint32(d << np.uint32(11)) | np.uint32(d >> np.uint32(21)))
    return result


@_inline
def unit_interval(bits):
    """Uniform float in the open interval (0, 1): (k + 1/2) / 2^23 from the upper 23 bits."""
    return _float(np.uint32(np.uint32(bits >> np.uint32(9)) | np.uint32(0x3F800000))) - np.float32(1.0 - 2.0**-24)


@_inline
def logarithm(value):
    """Natural logarithm of a normal positive float, relative error below 3e-7."""
    bits = _bits(value)
    exponent = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
    # The mantissa lies in [1/sqrt(2), sqrt(2)): the polynomial is log(1 + f) / f there.
    f = _float(np.uint32(np.int32(bits - np.int32(exponent << np.int32(23))))) - ONE
    series = np.float32(-0.10102013) * f + np.float32(0.16419916)
    series = series * f + np.float32(-0.1733351)
    series = series * f + np.float32(0.19873059)
    series = series * f + np.float32(-0.2495934)
    series = series * f + np.float32(0.3333618)
    series = series * f + np.float32(-0.5000067)
    series = series * f + np.float32(0.9999998)
    return np.float32(exponent) * np.float32(0.6931472) + f * series


@_inline
def exponential(value):
    """Exponential of a float not above 0, relative error below 1e-5 (from the rounding of `value`); 1e-38 at least."""
    binary = max(value * np.float32(1.442695), np.float32(-126.0))
    # Adding 3 * 2^22 rounds to a whole number and leaves it in the lowest bits.
    rounded = binary + np.float32(12582912.0)
    f = binary - (rounded - np.float32(12582912.0))
    series = np.float32(0.0013409994) * f + np.float32(0.009676036)
    series = series * f + np.float32(0.055502973)
    series = series * f + np.float32(0.24022107)
    series = series * f + np.float32(0.69314724)
    series = series * f + np.float32(1.0000001)
    exponent = np.int32(np.int32(_bits(rounded) + np.int32(127 - 0x4B400000)) << np.int32(23))
    return series * _float(np.uint32(exponent))


@_inline
def azimuth(bits):
    """Cosine and sine of a uniform random angle: two bits choose the quadrant, 23 the angle in it; error below 1e-6."""
    turn = _float(np.uint32(np.uint32(np.uint32(bits << np.uint32(2)) >> np.uint32(9)) | np.uint32(0x3F800000)))
    turn = turn - np.float32(1.5 - 2.0**-24)
    w = turn * turn
    sine = turn * (
        ((np.float32(-0.004602177) * w + np.float32(0.07968023)) * w - np.float32(0.6459635)) * w
        + np.float32(1.5707964)
    )
    cosine = ((np.float32(-0.020408353) * w + np.float32(0.25359863)) * w - np.float32(1.233697)) * w + ONE
    swap = np.uint32(bits & np.uint32(0x40000000)) != np.uint32(0)
    sign = ONE if bits < np.uint32(0x80000000) else -ONE
    return sign * (sine if swap else cosine), sign * (cosine if swap else sine)


@_inline
def neighbour_field(other, row, column, parity, couplings):
    """Effective field without anisotropy: exchange, Dzyaloshinskii-Moriya (Neel) and external field."""
    exchange, dmi, external = couplings
    left, right, below, above = column + parity - 1, column + parity, row - 1, row + 1
    x, y, z = other
    sum_x = (x[row, left] + x[row, right]) + (x[below, column] + x[above, column])
    sum_y = (y[row, left] + y[row, right]) + (y[below, column] + y[above, column])
    sum_z = (z[row, left] + z[row, right]) + (z[below, column] + z[above, column])
    slope_z_x, slope_z_y = z[row, right] - z[row, left], z[above, column] - z[below, column]
    divergence = (x[row, right] - x[row, left]) + (y[above, column] - y[below, column])
    return (
        exchange * sum_x - dmi * slope_z_x,
        exchange * sum_y - dmi * slope_z_y,
        exchange * sum_z + (dmi * divergence + external),
    )


@_inline
def heat_bath_spin(hx, hy, hz, bits_polar, bits_azimuth):
    """Unit vector with the density exp(h.S), h = field / temperature (Miyatake et al. 1986, J. Phys. C 19, 2539)."""
    transverse = hx * hx + hy * hy
    # Where the field vanishes any axis will do.
    hz = hz if transverse + hz * hz > VANISHING else np.float32(1e-10)
    strength = np.sqrt(transverse + hz * hz)
    inverse = ONE / strength
    hx, hy, hz = hx * inverse, hy * inverse, hz * inverse
    u = unit_interval(bits_polar)
    # 1 - cos(angle to h), exact to all digits also where the angle is small.
    fall = -logarithm(u + (ONE - u) * exponential(-TWO * strength)) * inverse
    v = u - HALF
    weak = ONE - TWO * v - strength * (HALF - TWO * v * v)
    fall = min(max(weak if strength < WEAK_FIELD else fall, ZERO), TWO)
    sine, cosine = np.sqrt(fall * (TWO - fall)), ONE - fall
    x, y = azimuth(bits_azimuth)
    x, y = sine * x, sine * y
    # The half turn about the bisector of h and +z (or -z, whichever is nearer) takes that axis to h.
    side = ONE if hz >= ZERO else -ONE
    weight = (hx * x + hy * y) / (ONE + abs(hz)) + cosine
    return weight * hx - x, weight * hy - y, weight * (hz + side) - side * cosine


@_inline
def metropolis(old, new, anisotropy, bits):
    """Whether the anisotropy energy lets a move from S_z = old to new pass; `anisotropy` is K / temperature."""
    return unit_interval(bits) < exponential(min(anisotropy * (new * new - old * old), ZERO))


@_inline
def wrap_row(plane, row, sites, periodic):
    """Ghost columns of one row."""
    plane[row, VECTOR - 1] = plane[row, VECTOR + sites - 1] if periodic else ZERO
    plane[row, VECTOR + sites] = plane[row, VECTOR] if periodic else ZERO


@_inline
def wrap_plane(plane, periodic):
    """Ghost rows. Those of an open axis stay the zeros they were made with."""
    if periodic:
        last = plane.shape[0] - 2
        for column in range(plane.shape[1]):
            plane[0, column] = plane[last, column]
            plane[last + 1, column] = plane[1, column]


@_kernel
def _heat_bath(target, other, colour, random, couplings, anisotropy, present, sites, periodic):
    x, y, z = target
    for row in range(1, x.shape[0] - 1):
        parity = (row - 1 + colour) & 1
        for lane in range(random[0].shape[0]):
            column = VECTOR + lane
            hx, hy, hz = neighbour_field(other, row, column, parity, couplings)
            first = next_bits(random, lane)
            new_x, new_y, new_z = heat_bath_spin(hx, hy, hz, first, next_bits(random, lane))
            # Numba removes this branch when it compiles for anisotropy = None.
            if anisotropy is not None:
                passes = metropolis(z[row, column], new_z, anisotropy, next_bits(random, lane))
                new_x = new_x if passes else x[row, column]
                new_y = new_y if passes else y[row, column]
                new_z = new_z if passes else z[row, column]
            # As is this one without a mask.
            if present is not None:
                here = present[row, column]
                new_x, new_y, new_z = here * new_x, here * new_y, here * new_z
            x[row, column], y[row, column], z[row, column] = new_x, new_y, new_z
        wrap_row(x, row, sites, periodic[1])
        wrap_row(y, row, sites, periodic[1])
        wrap_row(z, row, sites, periodic[1])
    wrap_plane(x, periodic[0])
    wrap_plane(y, periodic[0])
    wrap_plane(z, periodic[0])


@_kernel
def _over_relaxation(target, other, colour, random, couplings, anisotropy, sites, periodic):
    x, y, z = target
    for row in range(1, x.shape[0] - 1):
        parity = (row - 1 + colour) & 1
        for lane in range(random[0].shape[0]):
            column = VECTOR + lane
            hx, hy, hz = neighbour_field(other, row, column, parity, couplings)
            old_x, old_y, old_z = x[row, column], y[row, column], z[row, column]
            square = max(hx * hx + hy * hy + hz * hz, VANISHING)
            weight = TWO * (old_x * hx + old_y * hy + old_z * hz) / square
            new_x, new_y, new_z = weight * hx - old_x, weight * hy - old_y, weight * hz - old_z
            if anisotropy is not None:
                passes = metropolis(old_z, new_z, anisotropy, next_bits(random, lane))
                new_x = new_x if passes else old_x
                new_y = new_y if passes else old_y
                new_z = new_z if passes else old_z
            x[row, column], y[row, column], z[row, column] = new_x, new_y, new_z
        wrap_row(x, row, sites, periodic[1])
        wrap_row(y, row, sites, periodic[1])
        wrap_row(z, row, sites, periodic[1])
    wrap_plane(x, periodic[0])
    wrap_plane(y, periodic[0])
    wrap_plane(z, periodic[0])


@_inline
def shifted_field(other, x, y, z, row, column, parity, couplings, shift):
    """Neighbour field plus the linearised anisotropy, see `relax_sweeps`."""
    hx, hy, hz = neighbour_field(other, row, column, parity, couplings)
    # Numba removes this branch when it compiles for shift = None.
    if shift is not None:
        hx, hy, hz = hx + shift[0] * x, hy + shift[0] * y, hz + shift[1] * z
    return hx, hy, hz


@_inline
def past_the_field(x, y, z, gx, gy, gz, overshoot):
    """A spin turned past the direction of g, to `overshoot` times its old angle where that is small.

    It is (1 + overshoot) (S.g) g / |g|^2 - overshoot S at unit length, with the sign that keeps S.g from falling. The
    length of that sum lies between `overshoot` and 1, and one step of Newton's method does instead of the root: what
    it misses is of fourth order in a small angle. At right angles to g an overshoot of 0.5 leaves 0.69 of the
    length. Later sweeps make up for either.
    """
    along = x * gx + y * gy + z * gz
    weight = (ONE + overshoot) / overshoot * along / max(gx * gx + gy * gy + gz * gz, VANISHING)
    x, y, z = weight * gx - x, weight * gy - y, weight * gz - z
    norm = overshoot * (np.float32(1.5) - HALF * overshoot * overshoot * (x * x + y * y + z * z))
    norm = norm if along >= ZERO else -norm
    return norm * x, norm * y, norm * z


@_kernel
def _greedy(target, other, colour, couplings, shift, overshoot, sites, periodic):
    x, y, z = target
    for row in range(1, x.shape[0] - 1):
        parity = (row - 1 + colour) & 1
        for lane in range(x.shape[1] - 2 * VECTOR):
            column = VECTOR + lane
            sx, sy, sz = x[row, column], y[row, column], z[row, column]
            gx, gy, gz = shifted_field(other, sx, sy, sz, row, column, parity, couplings, shift)
            x[row, column], y[row, column], z[row, column] = past_the_field(sx, sy, sz, gx, gy, gz, overshoot)
        wrap_row(x, row, sites, periodic[1])
        wrap_row(y, row, sites, periodic[1])
        wrap_row(z, row, sites, periodic[1])
    wrap_plane(x, periodic[0])
    wrap_plane(y, periodic[0])
    wrap_plane(z, periodic[0])


@_kernel
def _torque(target, other, colour, couplings, shift, largest):
    """Raise each lane's `largest` to the largest |S x h|^2 in it."""
    x, y, z = target
    for row in range(1, x.shape[0] - 1):
        parity = (row - 1 + colour) & 1
        for lane in range(largest.shape[0]):
            column = VECTOR + lane
            sx, sy, sz = x[row, column], y[row, column], z[row, column]
            gx, gy, gz = shifted_field(other, sx, sy, sz, row, column, parity, couplings, shift)
            tx, ty, tz = sy * gz - sz * gy, sz * gx - sx * gz, sx * gy - sy * gx
            square = tx * tx + ty * ty + tz * tz
            largest[lane] = square if square > largest[lane] else largest[lane]


@_kernel
def wrap(black, white, sites, periodic):
    """Fill the ghost rows and columns of both colours."""
    for colour in (black, white):
        for plane in colour:
            for row in range(1, plane.shape[0] - 1):
                wrap_row(plane, row, sites, periodic[1])
            wrap_plane(plane, periodic[0])


@_kernel
def thermal_sweeps(black, white, random, couplings, anisotropy, present, temperatures, sweeps, sites, periodic):
    """At each temperature `sweeps[0]` rounds of `sweeps[1]` heat-bath and `sweeps[2]` over-relaxation sweeps.

    Args:
        black, white: The three component planes of each colour, `(rows + 2, lanes + 2 * VECTOR)` float32.
        random: The four words of the generators, each `(lanes,)` uint32.
        couplings: J, D and B.
        anisotropy: K, or None for a kernel without it.
        present: A plane for each colour, 1 where there is a spin and 0 elsewhere, float32; None for a kernel without
            a mask.
        temperatures: Inverse temperatures are 1 / temperatures, `(steps,)` float32.
        sweeps: The three numbers of sweeps.
        sites: Sites of one colour in a row.
        periodic: Whether the y and the x axis close on themselves.
    """
    for temperature in temperatures:
        scaled = (couplings[0] / temperature, couplings[1] / temperature, couplings[2] / temperature)
        tilt = None if anisotropy is None else anisotropy / temperature
        black_present = None if present is None else present[0]
        white_present = None if present is None else present[1]
        for _ in range(sweeps[0]):
            for _ in range(sweeps[1]):
                _heat_bath(black, white, 0, random, scaled, tilt, black_present, sites, periodic)
                _heat_bath(white, black, 1, random, scaled, tilt, white_present, sites, periodic)
            for _ in range(sweeps[2]):
                _over_relaxation(black, white, 0, random, scaled, tilt, sites, periodic)
                _over_relaxation(white, black, 1, random, scaled, tilt, sites, periodic)


@_kernel
def _add_moments(target, other, colour, couplings, anisotropy, lanes):
    """Adds what `measured_sweeps` measures of one colour to each lane; zero vectors of absent sites add nothing."""
    x, y, z = target
    for row in range(1, x.shape[0] - 1):
        parity = (row - 1 + colour) & 1
        for lane in range(lanes.shape[1]):
            column = VECTOR + lane
            sx, sy, sz = x[row, column], y[row, column], z[row, column]
            hx, hy, hz = neighbour_field(other, row, column, parity, couplings)
            along = sx * hx + sy * hy + sz * hz
            energy, curvature = -HALF * (along + couplings[2] * sz), TWO * along
            if anisotropy is not None:
                energy -= anisotropy * sz * sz
                hz += TWO * anisotropy * sz
                # 2 S.h - 2 K (1 - S_z^2) with all of the field.
                curvature += TWO * anisotropy * (TWO * sz * sz - sx * sx - sy * sy)
            tx, ty, tz = sy * hz - sz * hy, sz * hx - sx * hz, sx * hy - sy * hx
            lanes[0, lane] += energy
            lanes[1, lane] += sx
            lanes[2, lane] += sy
            lanes[3, lane] += sz
            lanes[4, lane] += tx * tx + ty * ty + tz * tz
            lanes[5, lane] += curvature


@_kernel
def measured_sweeps(
    black, white, random, couplings, anisotropy, present, temperature, sweeps, sites, periodic, lanes, series
):
    """`thermal_sweeps` at one temperature, `(1,)`, once for each row of `series` `(n, 6)`, float64, which it fills.

    With the energy, the three components of the summed spins, the sum of |S x h|^2 and that of 2 S.h - 2 K (1 - S_z^2).
    `lanes` is scratch, `(6, padded lanes)` float64.
    """
    for measurement in range(series.shape[0]):
        thermal_sweeps(black, white, random, couplings, anisotropy, present, temperature, sweeps, sites, periodic)
        lanes[:] = 0.0
        _add_moments(black, white, 0, couplings, anisotropy, lanes)
        _add_moments(white, black, 1, couplings, anisotropy, lanes)
        for quantity in range(6):
            series[measurement, quantity] = lanes[quantity, :sites].sum()


@_inline
def multiply(numbers, column, by_real, by_imaginary):
    """Multiplies one of the numbers of `winding_number`: real and imaginary part, turns, least |factor|^2."""
    real, imaginary, turns, least = numbers
    old = imaginary[column]
    new = real[column] * by_imaginary + old * by_real
    along = real[column] * by_real - old * by_imaginary
    # The sum of two phases of one sign has left (-pi, pi] if that of the product has the other.
    turns[column] += 1.0 if (old >= 0.0) & (by_imaginary >= 0.0) & (new < 0.0) else 0.0
    turns[column] -= 1.0 if (old < 0.0) & (by_imaginary < 0.0) & (new >= 0.0) else 0.0
    least[column] = min(least[column], by_real * by_real + by_imaginary * by_imaginary)
    scale = 1.0 / (abs(along) + abs(new))
    real[column], imaginary[column] = along * scale, new * scale


@_kernel
def _multiply_triangles(lower, upper, numbers):
    """Multiplies with the triangles between two rows of spins, `(3, columns + 1)`."""
    for column in range(numbers[0].shape[0]):
        x1, y1, z1 = lower[0, column], lower[1, column], lower[2, column]
        x2, y2, z2 = lower[0, column + 1], lower[1, column + 1], lower[2, column + 1]
        x3, y3, z3 = upper[0, column + 1], upper[1, column + 1], upper[2, column + 1]
        x4, y4, z4 = upper[0, column], upper[1, column], upper[2, column]
        # Both triangles have the corners 1 and 3.
        diagonal = 1.0 + x1 * x3 + y1 * y3 + z1 * z3
        x, y, z = y3 * z1 - z3 * y1, z3 * x1 - x3 * z1, x3 * y1 - y3 * x1
        x3, y3, z3 = x1 + x3, y1 + y3, z1 + z3
        multiply(numbers, column, diagonal + x2 * x3 + y2 * y3 + z2 * z3, x2 * x + y2 * y + z2 * z)
        multiply(numbers, column, diagonal + x4 * x3 + y4 * y3 + z4 * z3, -(x4 * x + y4 * y + z4 * z))


@_general_kernel
def winding_number(spins, periodic):
    """`keras_evae.analysis.topological_charge` of one state, its components `(3, y, x)`, without arctangents.

    Half the solid angle of a triangle is the phase of 1 + a.b + b.c + c.a + i a.(b x c). These numbers are multiplied
    along each column, and the turns of the product are counted. Absent corners, zero vectors, leave it real.

    NaN where corners are so close to opposite that the function named above has to decide.
    """
    _, rows, columns = spins.shape
    squares = columns if periodic[1] else columns - 1
    numbers = np.ones(squares), np.zeros(squares), np.zeros(squares), np.ones(squares)
    lower, upper = np.empty((3, columns + 1)), np.empty((3, columns + 1))
    for row in range(rows + 1 if periodic[0] else rows):
        lower, upper = upper, lower
        for component in range(3):
            for column in range(columns):
                upper[component, column] = spins[component, row % rows, column]
            upper[component, columns] = upper[component, 0]
        if row:
            _multiply_triangles(lower, upper, numbers)
    real, imaginary, turns, least = numbers
    if squares and least.min() < NEARLY_OPPOSITE:
        return np.nan
    return (np.arctan2(imaginary, real) / (2.0 * np.pi) + turns).sum()


@_kernel
def largest_torque(black, white, couplings, shift, lanes, sites):
    """Largest |S x h| of the lattice; `lanes` is scratch, `(padded lanes,)` float32."""
    lanes[:] = ZERO
    _torque(black, white, 0, couplings, shift, lanes)
    _torque(white, black, 1, couplings, shift, lanes)
    return np.sqrt(lanes[:sites].max())


@_general_kernel
def relaxation_cycle(number):
    """Overshoot of the sweeps with a long memory in a cycle, and how many they are."""
    loss = max(FIRST_LOSS * LOSS_RATIO**number, LEAST_LOSS)
    return np.float32(1.0 - loss), int(CYCLE_LENGTH / loss)


@_kernel
def relax_sweeps(black, white, couplings, shift, tolerance, sweeps, lanes, sites, periodic):
    r"""Sweeps at zero temperature until the largest torque is below `tolerance`; returns that torque and the sweeps.

    Each spin is turned in the plane of S and g = h + 2K S_z z (K > 0) or h + 2|K| (S_x, S_y, 0) (K < 0) past the
    direction of g, to `overshoot` times its old angle for small angles: successive over-relaxation, which damps
    long waves far faster than alignment (overshoot 0). S.g never falls, and the energy of a site is concave
    in S with the gradient -g, so the energy never rises.

    The longer the waves, the closer to 1 is the best overshoot, but short waves then last as long. So sweeps come in
    cycles: an overshoot that moves long waves, then a small one that damps the short. Most lattices need few cycles;
    those with longer waves get closer and closer to 1.
    """
    done = cycle = 0
    torque = largest_torque(black, white, couplings, shift, lanes, sites)
    while torque >= tolerance and done < sweeps:
        overshoot, steps = relaxation_cycle(cycle)
        for step in range(min(steps + SHORT_SWEEPS, sweeps - done)):
            memory = overshoot if step < steps else SHORT_MEMORY
            _greedy(black, white, 0, couplings, shift, memory, sites, periodic)
            _greedy(white, black, 1, couplings, shift, memory, sites, periodic)
            done += 1
        torque = largest_torque(black, white, couplings, shift, lanes, sites)
        cycle += 1
    return torque, done


@_inline
def general_local_field(spins, site, neighbours, matrices, external):
    hx, hy, hz = external[site, 0], external[site, 1], external[site, 2]
    for bond in range(neighbours.shape[1]):
        neighbour = neighbours[site, bond]
        x, y, z = spins[neighbour, 0], spins[neighbour, 1], spins[neighbour, 2]
        hx += matrices[bond, 0, 0] * x + matrices[bond, 0, 1] * y + matrices[bond, 0, 2] * z
        hy += matrices[bond, 1, 0] * x + matrices[bond, 1, 1] * y + matrices[bond, 1, 2] * z
        hz += matrices[bond, 2, 0] * x + matrices[bond, 2, 1] * y + matrices[bond, 2, 2] * z
    return hx, hy, hz


@_general_kernel
def general_heat_bath(spins, sites, neighbours, matrices, external, temperature, anisotropy, random):
    """Draws the spins of the sites anew; with an anisotropy (K / temperature) the draw without it is a proposal."""
    for site in sites:
        hx, hy, hz = general_local_field(spins, site, neighbours, matrices, external)
        first = next_bits(random, 0)
        x, y, z = heat_bath_spin(hx / temperature, hy / temperature, hz / temperature, first, next_bits(random, 0))
        if anisotropy is None or metropolis(spins[site, 2], z, anisotropy, next_bits(random, 0)):
            spins[site, 0], spins[site, 1], spins[site, 2] = x, y, z


@_general_kernel
def general_over_relaxation(spins, sites, neighbours, matrices, external, temperature, anisotropy, random):
    """Reflects the spins of the sites at their fields."""
    for site in sites:
        hx, hy, hz = general_local_field(spins, site, neighbours, matrices, external)
        x, y, z = spins[site, 0], spins[site, 1], spins[site, 2]
        weight = TWO * (x * hx + y * hy + z * hz) / max(hx * hx + hy * hy + hz * hz, VANISHING)
        new = weight * hz - z
        if anisotropy is None or metropolis(z, new, anisotropy, next_bits(random, 0)):
            spins[site, 0], spins[site, 1], spins[site, 2] = weight * hx - x, weight * hy - y, new


@_general_kernel
def general_greedy(spins, sites, neighbours, matrices, external, shift, overshoot):
    """Turns the spins of the sites past their fields, see `keras_evae.monte_carlo.kernels.relax_sweeps`."""
    for site in sites:
        hx, hy, hz = general_local_field(spins, site, neighbours, matrices, external)
        x, y, z = spins[site, 0], spins[site, 1], spins[site, 2]
        gx, gy, gz = hx + shift[0] * x, hy + shift[0] * y, hz + shift[1] * z
        spins[site, 0], spins[site, 1], spins[site, 2] = past_the_field(x, y, z, gx, gy, gz, overshoot)


# To the bit what NumPy gives, signs of zeros too.
@compiled(nogil=True)
def move_states(moved, spins, chosen, operations, shifts, components, signs):
    """Writes the chosen of `spins` (n, y, x, 3), turned by a point operation and then shifted, into `moved`.

    operations (m, 3): transpose, flip y, flip x; shifts (m, 2); components and signs (m, 3) as `moved_components` of
    `keras_evae.symmetry` gives them.
    """
    _, height, width, _ = moved.shape
    for k in range(len(chosen)):
        state, shift_y, shift_x = chosen[k], shifts[k, 0], shifts[k, 1]
        transpose, flip_y, flip_x = operations[k]
        (first, second, third), (by_first, by_second, by_third) = components[k], signs[k]
        for y in range(height):
            # Division takes longer than all the rest.
            row = y - shift_y if y >= shift_y else y - shift_y + height
            row = height - 1 - row if flip_y else row
            for x in range(width):
                column = x - shift_x if x >= shift_x else x - shift_x + width
                column = width - 1 - column if flip_x else column
                # Arrays of one spin would count their references.
                a, b = (column, row) if transpose else (row, column)
                moved[k, y, x, 0] = spins[state, a, b, first] * by_first
                moved[k, y, x, 1] = spins[state, a, b, second] * by_second
                moved[k, y, x, 2] = spins[state, a, b, third] * by_third
