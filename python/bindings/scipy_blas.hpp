// SciPy's BLAS and LAPACK for the core. Called by the module's initialisation.
#pragma once

namespace tapegrad {

// Sets `load_blas`: SciPy is imported when the first product or factorisation needs it.
void register_scipy_blas();

}  // namespace tapegrad
