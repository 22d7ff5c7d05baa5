// SPDX-License-Identifier: BSD-3-Clause
// What the files of the page share. Nobody else includes this.
#pragma once

#include "control/page.h"
#include "stat/stat.h"

#define PAGE_RISKS_MAX	10
#define PAGE_TRUNKS_MAX 500 // rows of the page; the rest is for vergectl

struct page {
	struct body body; // first
	const struct control_view *view;
	struct history *history;
	char nonce[PAGE_NONCE_BYTES];
	unsigned part, pass, trunk, shown, left_out;
	struct worker_stats sum;
	uint64_t legs[3]; // setup, established, ending
	uint64_t at_risk[CONTROL_AT_RISK_N];
	struct history_totals hour;
};

// 1,234,567
void page_put_count(struct page *p, uint64_t n);
// "3 h 5 min", "4 min 50 s" or "42 s"
void page_put_duration(struct page *p, uint64_t seconds);

// page_charts.c
void page_put_charts(struct page *p);
// page_tables.c
void page_put_risks(struct page *p);
bool page_put_trunks(struct page *p); // false: there are more
void page_put_causes(struct page *p);
void page_put_workers(struct page *p);
