// TAPEGRAD_CLONED before a function: compiled for several instruction sets, with what it calls, and
// chosen when the library is loaded. Sanitizers and unoptimised builds get it once.
#pragma once

#if defined(__GNUC__) && defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
#define TAPEGRAD_CLONED [[gnu::target_clones("avx512f", "avx2", "default"), gnu::flatten]]
#else
#define TAPEGRAD_CLONED
#endif
