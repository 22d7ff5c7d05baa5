// SPDX-License-Identifier: BSD-3-Clause
// control/heap: order against a sorted copy, removal from the middle, moving keys.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/heap.h"

#define N 500

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void check_order(struct heap *h, uint32_t expect)
{
	tick_t last = 0;

	for (uint32_t i = 0; i < expect; i++) {
		struct heap_node *top = heap_top(h);

		if (top == NULL) {
			fail();
			return;
		}
		assert_true(top->key >= last);
		last = top->key;
		heap_remove(h, top);
		assert_false(heap_has(top));
	}
	assert_null(heap_top(h));
	assert_int_equal(heap_next(h), TICK_NEVER);
}

static void leaves_in_order(void **state)
{
	static struct heap_node nodes[N];
	struct heap h = {0};
	uint32_t seed = 7;

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(heap_put(&h, &nodes[i], next_random(&seed) % 100), 0);
	check_order(&h, N);
	heap_free(&h);
}

static void moves_and_removes(void **state)
{
	static struct heap_node nodes[N];
	struct heap h = {0};
	uint32_t seed = 11, in = 0;

	(void)state;
	memset(nodes, 0, sizeof(nodes));
	for (uint32_t round = 0; round < 20000; round++) {
		struct heap_node *node = &nodes[next_random(&seed) % N];

		if (next_random(&seed) % 3 == 0) {
			in -= heap_has(node);
			heap_remove(&h, node);
		} else {
			in += !heap_has(node);
			assert_int_equal(heap_put(&h, node, next_random(&seed)), 0);
		}
		assert_int_equal(h.n, in);
		for (uint32_t i = 1; i < h.n && round % 100 == 0; i++)
			assert_true(h.nodes[(i - 1) / 2]->key <= h.nodes[i]->key);
	}
	check_order(&h, in);
	heap_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_in_order),
		cmocka_unit_test(moves_and_removes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
