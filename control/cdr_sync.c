// SPDX-License-Identifier: BSD-3-Clause
// Threads that force files to the disk. See cdr_sync.h.
#include "control/cdr_sync.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

// Not of a file: threads may outlive the one that they were started for.
static _Atomic uint64_t refused;
static _Atomic int newest;

struct sync_job {
	int fd;		   // its own
	_Atomic int *busy; // NULL: nobody asks
};

void cdr_sync_now(int fd)
{
	if (fdatasync(fd) == 0 || errno == EINVAL) // EINVAL: /dev/null has nothing to force
		return;
	// relaxed: whichever failed last
	atomic_store_explicit(&newest, errno, memory_order_relaxed);
	// release: pairs with the acquire in cdr_sync_errors(); its errno is there
	atomic_fetch_add_explicit(&refused, 1, memory_order_release);
}

uint64_t cdr_sync_errors(int *error)
{
	// acquire: pairs with the release in cdr_sync_now()
	uint64_t n = atomic_load_explicit(&refused, memory_order_acquire);

	*error = atomic_load_explicit(&newest, memory_order_relaxed); // relaxed: published by n
	return n;
}

static void *sync_and_close(void *arg)
{
	struct sync_job *job = arg;

	cdr_sync_now(job->fd);
	close(job->fd);
	if (job->busy != NULL)
		// release: pairs with the acquire in cdr_sync_start(); the last use of *busy
		atomic_store_explicit(job->busy, 0, memory_order_release);
	free(job);
	return NULL;
}

static bool start_thread(struct sync_job job)
{
	struct sync_job *arg = malloc(sizeof(*arg));
	pthread_attr_t attr;
	pthread_t thread;
	bool started;

	if (arg == NULL)
		return false;
	*arg = job;
	if (pthread_attr_init(&attr) != 0) {
		free(arg);
		return false;
	}
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	started = pthread_create(&thread, &attr, sync_and_close, arg) == 0;
	pthread_attr_destroy(&attr);
	if (!started)
		free(arg);
	return started;
}

bool cdr_sync_close(int fd)
{
	return start_thread((struct sync_job){.fd = fd});
}

bool cdr_sync_start(int fd, _Atomic int *busy)
{
	struct sync_job job = {.busy = busy};

	// acquire: pairs with the release in sync_and_close()
	if (atomic_load_explicit(busy, memory_order_acquire) != 0)
		return false;
	job.fd = dup(fd);
	if (job.fd < 0)
		return false;
	atomic_store_explicit(busy, 1,
			      memory_order_relaxed); // relaxed: the thread is not there yet
	if (start_thread(job))
		return true;
	close(job.fd);
	atomic_store_explicit(busy, 0, memory_order_relaxed); // relaxed: no thread
	return false;
}
