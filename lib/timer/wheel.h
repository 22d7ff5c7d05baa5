// SPDX-License-Identifier: BSD-3-Clause
// Hierarchical timing wheel (Varghese and Lauck, 1987): all timers of one worker, SIP transaction
// timers and session timers alike, named by indices that the caller chooses.
// Thread: the owning worker only. Memory is the caller's; nothing here grows, allocates or reads a
// clock. `now` never goes back (an older one counts as the latest seen).
//
// A timer fires at the first wheel_poll() whose now has reached its deadline rounded up to the
// granule (WHEEL_GRANULE_US after wheel_init's now): never early, and late only by the granule and
// by the polling. Why it looks the way it does: README.md.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tick.h"

#define WHEEL_GRANULE_SHIFT 10
#define WHEEL_GRANULE_US    (1U << WHEEL_GRANULE_SHIFT)

// Timers of one wheel at most.
#define WHEEL_TIMERS_MAX (1U << 30)

// Entries that one wheel_poll() touches at most: fired, re-inserted or moved between levels.
#define WHEEL_POLL_WORK 256

struct wheel;

// Bytes for ids 0 .. timers - 1: 16 a timer and a fixed 250 KiB. 1 <= timers <= WHEEL_TIMERS_MAX.
size_t wheel_footprint(uint32_t timers);

// An empty wheel in mem (wheel_footprint(timers) bytes, aligned to 64), which stays the caller's.
// now becomes the wheel's zero. O(timers).
struct wheel *wheel_init(void *mem, uint32_t timers, tick_t now);

// Arm timer id, or move it if it is armed. Later than its place in the wheel: only the deadline is
// stored and the old place re-inserts it (one line written). Earlier: taken out and put in again.
// A deadline that has passed fires in the next poll. One more than 71 years after wheel_init's now
// (TICK_NEVER too) counts as 71 years.
void wheel_arm(struct wheel *w, uint32_t id, tick_t deadline);

// Disarm timer id; does nothing when it is not armed. Nothing stays behind: the id may be armed
// again, for whatever it then stands for, at once.
void wheel_cancel(struct wheel *w, uint32_t id);

bool wheel_armed(const struct wheel *w, uint32_t id);

// The deadline as armed, but not before wheel_init's now; TICK_NEVER when not armed.
tick_t wheel_deadline(const struct wheel *w, uint32_t id);

// Timers armed now.
uint32_t wheel_used(const struct wheel *w);

// Fire: write up to max ids whose deadline has come to due[], each disarmed; returns how many.
// Touches at most WHEEL_POLL_WORK entries however much is due or however long the last poll is
// ago: the rest waits for the next poll (wheel_behind() says so). Earlier granules come first but
// for those that a long gap left in coarse levels; within one granule there is no order.
unsigned wheel_poll(struct wheel *w, tick_t now, uint32_t *due, unsigned max);

// More work waits at the now of the last poll: poll again before sleeping.
bool wheel_behind(const struct wheel *w);

// The instant at which the next poll would find work: a timer to fire, or entries to move nearer.
// No timer fires before it. Not after now while wheel_behind(); TICK_NEVER when nothing is armed.
// Always the start of a granule, so it may lie up to WHEEL_GRANULE_US - 1 after a deadline, never
// after the instant at which that timer would fire. Costs some 20 ns.
tick_t wheel_next(const struct wheel *w);

// Bring timer id's line near, a burst ahead of wheel_arm() or wheel_cancel(). id may be any value.
void wheel_prefetch(const struct wheel *w, uint32_t id);

// 0, or -EUCLEAN when an invariant is broken. O(timers); for tests and for after a crash.
int wheel_check(const struct wheel *w);
