// SPDX-License-Identifier: BSD-3-Clause
// A trace as a file. See trace.h.
#include "control/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/pcapng.h"
#include "msg/msg.h"
#include "stat/verdict.h"

#define TRACE_BUFFER (256u << 10)

static const char *const verdicts[] = {
#define VERDICT(id, class, help) [VERDICT_##id] = #id,
#include "stat/verdict.def"
};

void trace_comment(char *text, size_t size, const struct config *c, const struct tap_head *head)
{
	const char *leg = head->about.call == UINT32_MAX ? "none"
			  : head->about.side == SIDE_A	 ? "ingress"
							 : "egress";
	const char *trunk =
		head->about.trunk < c->n_trunks ? c->trunks[head->about.trunk].name : "none";
	const char *verdict = head->out ? head->verdict != 0 ? "SENT_AGAIN" : "SENT"
			      : head->verdict < VERDICT_N ? verdicts[head->verdict]
							  : NULL;

	snprintf(text, size, "leg=%s trunk=%.100s verdict=%s", leg, trunk,
		 verdict != NULL ? verdict : "NONE");
}

void trace_init(struct trace *t)
{
	memset(t, 0, sizeof(*t));
	t->fd = -1;
}

int trace_open(struct trace *t, const struct config *c, const char *path, uint64_t limit)
{
	struct outbuf o;

	if (trace_runs(t))
		return -EALREADY;
	trace_init(t);
	// Never over a file that is there: whoever may speak to the socket need not own it.
	t->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (t->fd < 0)
		return -errno;
	t->buffer.p = malloc(TRACE_BUFFER);
	if (t->buffer.p == NULL) {
		close(t->fd);
		t->fd = -1;
		return -ENOMEM;
	}
	snprintf(t->path, sizeof(t->path), "%s", path);
	t->limit = limit;
	o = outbuf_of(t->buffer.p, TRACE_BUFFER);
	pcapng_section(&o, "verge " VERGE_VERSION);
	for (uint32_t i = 0; i < c->n_ports; i++)
		pcapng_interface(&o, c->ports[i].name);
	t->buffer.len = o.len;
	if (!trace_flush(t)) {
		unlink(path);
		return -ENOSPC;
	}
	return 0;
}

// Cut the file behind the last whole block of what the disk took of the buffer.
static void cut(struct trace *t, uint32_t written)
{
	uint32_t at = 0, len = 0;

	while (at + 8 <= written) {
		memcpy(&len, t->buffer.p + at + 4, sizeof(len));
		if (len < 12 || at + len > written)
			break;
		t->packets += t->buffer.p[at] == PCAPNG_PACKET;
		at += len;
	}
	if (ftruncate(t->fd, (off_t)(t->bytes + at)) == 0)
		t->bytes += at;
}

static void end(struct trace *t)
{
	close(t->fd);
	t->fd = -1;
	free(t->buffer.p);
	memset(&t->buffer, 0, sizeof(t->buffer));
}

bool trace_flush(struct trace *t)
{
	uint32_t done = 0;

	if (!trace_runs(t))
		return false;
	while (done < t->buffer.len) {
		ssize_t n = write(t->fd, t->buffer.p + done, t->buffer.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			snprintf(t->reason, sizeof(t->reason), "%s",
				 strerrordesc_np(n < 0 ? errno : ENOSPC));
			cut(t, done);
			end(t);
			return false;
		}
		done += (uint32_t)n;
	}
	t->bytes += t->buffer.len;
	t->packets += t->buffer.packets;
	t->buffer.len = t->buffer.packets = 0;
	return true;
}

bool trace_put(struct trace *t, const struct config *c, const struct tap_head *head,
	       const uint8_t *bytes, uint64_t unix_us)
{
	struct outbuf o;
	char comment[192];

	if (!trace_runs(t))
		return false;
	if (TRACE_BUFFER - t->buffer.len < PCAPNG_BLOCK_MAX && !trace_flush(t))
		return false;
	trace_comment(comment, sizeof(comment), c, head);
	o = outbuf_of(t->buffer.p + t->buffer.len, TRACE_BUFFER - t->buffer.len);
	pcapng_message(&o, head, bytes, unix_us, comment);
	if (o.full) // never: the room is there
		return true;
	if (t->bytes + t->buffer.len + o.len > t->limit) {
		if (trace_flush(t)) {
			snprintf(t->reason, sizeof(t->reason), "trace.max_size is reached");
			end(t);
		}
		return false;
	}
	t->buffer.len += o.len;
	t->buffer.packets++;
	return true;
}

void trace_close(struct trace *t)
{
	if (trace_flush(t))
		end(t);
}
