"""Symbolic derivations of the formulas the theory uses.

Every function in `ALL` starts from definitions, lets sympy do the calculus, and returns an `Identity`, or
raises `DerivationError` at the first step that cannot be shown.  Nothing numeric of the project is imported
here: the tests set the formulas beside the numbers.  Needs sympy (the extra `derivations`).
"""

from .bit_allocation import allocation_gain, optimal_bit_allocation
from .block_maximum import block_maximum_density, laplace_block_maximum, laplace_block_maximum_square
from .block_scaled import (
    block_conditional_law,
    block_partial_moments,
    block_second_moment,
    block_total_mass,
    gaussian_rms_kurtosis,
    gaussian_rms_law,
)
from .companding import bennett_integral, cube_root_rule, panter_dite, power_error_rule
from .differential_entropies import (
    entropy_gaussian,
    entropy_generalised_gaussian,
    entropy_laplace,
    entropy_logistic,
    entropy_student_t,
)
from .entropy_constrained_conditions import (
    entropy_constrained_centroid,
    entropy_threshold_formula,
    entropy_threshold_gradient,
)
from .gaussian_moments import gaussian_partial_moments
from .generalised_gaussian_moments import (
    generalised_gaussian_absolute_moment,
    generalised_gaussian_partial_moment,
    generalised_gaussian_unit_variance_scale,
)
from .high_rate_entropy import (
    equal_steps_rule,
    high_rate_decibels_per_bit,
    high_rate_distortion,
    high_rate_gap,
)
from .identity import Derivation, DerivationError, Identity, Step
from .kl_fisher import kl_exponential_family, kl_general_family, kl_softmax
from .laplace_entropy_constrained import (
    laplace_dead_zone,
    laplace_equal_steps,
    laplace_outer_offset,
    laplace_quantiser_distortion,
    laplace_quantiser_entropy,
    laplace_slope,
)
from .laplace_moments import laplace_crossing_moments, laplace_partial_moments, laplace_variance
from .layer_targets import drift_target, rescaler_columns, rescaler_rows
from .lloyd_max_conditions import (
    centroid_condition,
    lloyd_max_hessian,
    midpoint_condition,
    stationary_distortion,
)
from .panter_dite_constants import (
    panter_dite_gaussian,
    panter_dite_generalised_gaussian,
    panter_dite_laplace,
    panter_dite_student_t,
    panter_dite_uniform,
)
from .point_densities import (
    power_density_gaussian,
    power_density_generalised_gaussian,
    power_density_laplace,
    power_density_student_t,
    power_distortion_gaussian,
)
from .reverse_water_filling import (
    water_filling_active,
    water_filling_idle,
    water_filling_level,
    water_filling_weighted,
)
from .shannon_bounds import (
    gaussian_maximises_entropy,
    gaussian_rate_distortion,
    laplace_absolute_rate_distortion,
    shannon_lower_bound,
)
from .student_t_moments import (
    student_t_absolute_moment,
    student_t_first_moment,
    student_t_tail,
    student_t_truncation,
    student_t_unit_variance_scale,
)
from .successive_cancellation import (
    cancellation_gap,
    cancellation_loss_three,
    cancellation_loss_two,
    equal_spacing_penalty,
    shrinkage_factor,
    water_filling_spacing,
    water_filling_start,
)

__all__ = ["ALL", "Derivation", "DerivationError", "Identity", "Step"]

# In reading order: the docs keep it.
ALL: tuple[Derivation, ...] = (
    centroid_condition,
    midpoint_condition,
    stationary_distortion,
    lloyd_max_hessian,
    entropy_threshold_gradient,
    entropy_threshold_formula,
    entropy_constrained_centroid,
    bennett_integral,
    cube_root_rule,
    panter_dite,
    power_error_rule,
    power_density_gaussian,
    power_density_laplace,
    power_density_generalised_gaussian,
    power_density_student_t,
    power_distortion_gaussian,
    panter_dite_gaussian,
    panter_dite_laplace,
    panter_dite_uniform,
    panter_dite_generalised_gaussian,
    panter_dite_student_t,
    gaussian_partial_moments,
    laplace_variance,
    laplace_partial_moments,
    laplace_crossing_moments,
    student_t_tail,
    student_t_unit_variance_scale,
    student_t_absolute_moment,
    student_t_first_moment,
    student_t_truncation,
    generalised_gaussian_absolute_moment,
    generalised_gaussian_partial_moment,
    generalised_gaussian_unit_variance_scale,
    entropy_gaussian,
    entropy_laplace,
    entropy_generalised_gaussian,
    entropy_student_t,
    entropy_logistic,
    laplace_outer_offset,
    laplace_equal_steps,
    laplace_slope,
    laplace_dead_zone,
    laplace_quantiser_distortion,
    laplace_quantiser_entropy,
    equal_steps_rule,
    high_rate_distortion,
    high_rate_gap,
    high_rate_decibels_per_bit,
    gaussian_maximises_entropy,
    shannon_lower_bound,
    gaussian_rate_distortion,
    laplace_absolute_rate_distortion,
    water_filling_active,
    water_filling_idle,
    water_filling_level,
    water_filling_weighted,
    block_maximum_density,
    laplace_block_maximum,
    laplace_block_maximum_square,
    block_conditional_law,
    block_partial_moments,
    block_total_mass,
    block_second_moment,
    gaussian_rms_law,
    gaussian_rms_kurtosis,
    kl_softmax,
    kl_exponential_family,
    kl_general_family,
    optimal_bit_allocation,
    allocation_gain,
    cancellation_loss_two,
    cancellation_loss_three,
    water_filling_spacing,
    cancellation_gap,
    equal_spacing_penalty,
    shrinkage_factor,
    water_filling_start,
    drift_target,
    rescaler_columns,
    rescaler_rows,
)
