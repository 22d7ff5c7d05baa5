// SPDX-License-Identifier: BSD-3-Clause
// What the fuzz targets share. A target is a file fuzz_NAME.c with a function
// LLVMFuzzerTestOneInput() that asserts properties of what it gets (FUZZ_ASSERT: also in release
// builds), and seeds in corpus/NAME/. With the option `fuzzers` (clang) it becomes a libFuzzer
// program, otherwise driver.c replays its corpus.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ASSERT(x)                                                                \
	do {                                                                          \
		if (!(x)) {                                                           \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                      \
		}                                                                     \
	} while (0)
