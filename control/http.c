// SPDX-License-Identifier: BSD-3-Clause
// Thread: control, through libmicrohttpd's external epoll.
#include "control/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "control/accept.h"
#include "control/metrics.h"
#include "control/page.h"

#define MEMORY	    65536 // of a connection; mapped as it is used
#define BLOCK	    65536
#define SWEEP_EVERY TICK_S(1)

struct client {
	struct MHD_Connection *connection; // NULL = free
	tick_t since;			   // accepted, or its last request or reply came to its end
	bool answering;
};

struct http {
	struct MHD_Daemon *daemon;
	const struct control_view *view;
	int epoll;
	tick_t now, sweep_tk;
	unsigned n_clients;
	struct client clients[HTTP_CLIENTS];
	struct history history;
};

// libmicrohttpd has no call that ends a connection of somebody else's turn; it sees the end of
// input.
static void cut_off(struct client *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info != NULL)
		shutdown(info->connect_fd, SHUT_RDWR);
}

static void cut_off_oldest(struct http *h)
{
	struct client *oldest = NULL;

	for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
		struct client *c = &h->clients[i];

		if (c->connection != NULL && !c->answering &&
		    (oldest == NULL || c->since < oldest->since))
			oldest = c;
	}
	if (oldest == NULL)
		return;
	cut_off(oldest);
	oldest->since = TICK_NEVER; // once is enough
}

static void cut_off_slow(struct http *h)
{
	if (h->now < h->sweep_tk)
		return;
	h->sweep_tk = h->now + SWEEP_EVERY;
	for (unsigned i = 0; i < HTTP_CLIENTS && h->n_clients != 0; i++) {
		struct client *c = &h->clients[i];

		if (c->connection == NULL || c->since == TICK_NEVER ||
		    h->now - c->since < TICK_S(HTTP_SLOW_S))
			continue;
		cut_off(c);
		c->since = TICK_NEVER;
	}
}

static void admit(struct http *h, struct MHD_Connection *connection, void **context)
{
	for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
		if (h->clients[i].connection != NULL)
			continue;
		h->clients[i] = (struct client){.connection = connection, .since = h->now};
		*context = &h->clients[i];
		h->n_clients++;
		break;
	}
	if (h->n_clients > HTTP_CLIENTS - HTTP_SPARE)
		cut_off_oldest(h);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *h = cls;
	struct client *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		admit(h, connection, context);
	} else if (c != NULL) {
		*c = (struct client){0};
		h->n_clients--;
	}
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **,
			 enum MHD_RequestTerminationCode)
{
	struct http *h = cls;
	struct client *c = client_of(connection);

	if (c == NULL)
		return;
	c->answering = false;
	if (c->since != TICK_NEVER)
		c->since = h->now;
}

static ssize_t read_body(void *cls, uint64_t, char *buf, size_t max)
{
	ssize_t n = body_take(cls, buf, max);

	if (n == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_body(void *cls)
{
	body_free(cls);
}

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
			     struct MHD_Response *response, const char *type)
{
	enum MHD_Result rc;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
				 const char *text)
{
	union {
		const char *text;
		void *arg;
	} body = {text}; // MHD takes void *, and with PERSISTENT only reads it

	return queue(
		connection, status,
		MHD_create_response_from_buffer(strlen(text), body.arg, MHD_RESPMEM_PERSISTENT),
		"text/plain; charset=utf-8");
}

static enum MHD_Result send_health(struct http *h, struct MHD_Connection *connection)
{
	const char *trouble = h->view->trouble(h->view->ctx);
	char text[200];

	if (trouble == NULL)
		return send_text(connection, MHD_HTTP_OK, "ok\n");
	snprintf(text, sizeof(text), "%s\n", trouble);
	return queue(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
		     MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY),
		     "text/plain; charset=utf-8");
}

// b: NULL when out of memory; the response's from now on.
static struct MHD_Response *response_of(struct body *b)
{
	struct MHD_Response *response = NULL;

	if (b != NULL)
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_body, b,
							     free_body);
	if (response == NULL)
		body_free(b);
	return response;
}

static enum MHD_Result send_metrics(struct http *h, struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
	bool openmetrics = accept != NULL && accept_prefers_openmetrics(slice_of_str(accept));

	return queue(connection, MHD_HTTP_OK,
		     response_of(metrics_body_new(h->view, &h->history, openmetrics)),
		     openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				 : "text/plain; version=0.0.4; charset=utf-8");
}

// Nothing that a peer or a trunk's name might smuggle into the page runs or is fetched: only the
// one script that has the nonce.
static enum MHD_Result send_page(struct http *h, struct MHD_Connection *connection)
{
	char nonce[PAGE_NONCE_BYTES], policy[256];
	struct MHD_Response *response;
	uint8_t random[16];

	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return MHD_NO;
	for (unsigned i = 0; i < sizeof(random); i++)
		snprintf(nonce + (size_t)2 * i, 3, "%02x", random[i]);
	snprintf(policy, sizeof(policy),
		 "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
		 "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
		 "frame-ancestors 'none'",
		 nonce, nonce);
	response = response_of(page_body_new(h->view, &h->history, nonce));
	if (response != NULL) {
		MHD_add_response_header(response, "Content-Security-Policy", policy);
		MHD_add_response_header(response, "Cache-Control", "no-store");
		MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	}
	return queue(connection, MHD_HTTP_OK, response, "text/html; charset=utf-8");
}

static enum MHD_Result route(struct http *h, struct MHD_Connection *connection, const char *url,
			     const char *method)
{
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only\n");
	if (strcmp(url, "/") == 0)
		return send_page(h, connection);
	if (strcmp(url, "/metrics") == 0)
		return send_metrics(h, connection);
	if (strcmp(url, "/healthz") == 0)
		return send_health(h, connection);
	return send_text(connection, MHD_HTTP_NOT_FOUND, "here are /, /metrics and /healthz\n");
}

// NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's
static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *, const char *, size_t *upload,
			      void **seen)
{
	struct http *h = cls;
	struct client *c = client_of(connection);

	// The first call has the headers only; a body, which nobody needs here, is skipped.
	if (*seen == NULL) {
		*seen = h;
		return MHD_YES;
	}
	if (*upload != 0) {
		*upload = 0;
		return MHD_YES;
	}
	if (c != NULL && c->since != TICK_NEVER) {
		c->answering = true;
		c->since = h->now;
	}
	return route(h, connection, url, method);
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void read_address(union address *a, const struct config_endpoint *listen)
{
	memset(a, 0, sizeof(*a));
	if (listen->ip.family == 6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(listen->udp);
		memcpy(&a->v6.sin6_addr, listen->ip.bytes, 16);
	} else {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(listen->udp);
		memcpy(&a->v4.sin_addr, listen->ip.bytes, 4);
	}
}

int http_new(struct http **out, const struct config_endpoint *listen,
	     const struct control_view *view)
{
	unsigned flags = MHD_USE_EPOLL | (listen->ip.family == 6 ? MHD_USE_IPv6 : 0);
	const union MHD_DaemonInfo *info;
	union address address;
	struct http *h;

	*out = NULL;
	if (listen->ip.family == 0)
		return 0;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return -ENOMEM;
	h->view = view;
	h->now = view->now(view->ctx);
	read_address(&address, listen);
	errno = 0;
	h->daemon = MHD_start_daemon(
		flags, listen->udp, NULL, NULL, answer, h, MHD_OPTION_SOCK_ADDR, &address.any,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)HTTP_SLOW_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, h, MHD_OPTION_END);
	info = h->daemon != NULL ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (info == NULL) {
		int rc = errno != 0 ? -errno : -EIO;

		http_free(h);
		return rc;
	}
	h->epoll = info->epoll_fd;
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (h == NULL)
		return;
	if (h->daemon != NULL)
		MHD_stop_daemon(h->daemon);
	free(h);
}

int http_fd(const struct http *h)
{
	return h->epoll;
}

void http_poll(struct http *h, tick_t now)
{
	h->now = now;
	history_poll(&h->history, h->view, now);
	cut_off_slow(h);
	MHD_run(h->daemon);
}

tick_t http_next(const struct http *h, tick_t now)
{
	tick_t next = history_next(&h->history);
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES && now + TICK_MS(ms) < next)
		next = now + TICK_MS(ms);
	if (h->n_clients != 0 && h->sweep_tk < next)
		next = h->sweep_tk;
	return next;
}
