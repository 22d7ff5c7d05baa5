// SPDX-License-Identifier: BSD-3-Clause
// page.css and page.js, made into strings by the build (embed).
#pragma once

extern const char page_css[];
extern const char page_js[];
