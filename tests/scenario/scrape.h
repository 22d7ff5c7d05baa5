// SPDX-License-Identifier: BSD-3-Clause
// What Prometheus would see of a case, and which samples have ever moved in all of them: a metric
// that never does is dead or unproven. One thread of a test program.
#pragma once

#include "run.h"

// Scrape now and note which samples are not 0.
void scrape_note(struct run *r);
// Value of a sample as it stands in the text: "verge_calls",
// "verge_legs{trunk=\"A\",state=\"setup\"}". NULL when there is none.
const char *scrape_value(struct run *r, const char *sample);
// Samples that never moved and are not in the file (lines "SAMPLE: reason", SAMPLE may end in *),
// and those in the file that did, one line each. Returns how many.
unsigned scrape_report(const char *unmoved_file);
