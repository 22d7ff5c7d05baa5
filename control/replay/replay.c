// SPDX-License-Identifier: BSD-3-Clause
// `verge replay`: arguments, one or two runs, the report. See replay.h and README.md.
#include "control/replay/replay.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_load.h"
#include "control/replay/play.h"
#include "stat/verdict.h"

#define LADDERS_FEW 20 // calls up to which every ladder is shown

enum { EXIT_USAGE = 2 };
enum ladders { LADDERS_AUTO, LADDERS_ALL, LADDERS_DIFFERENT, LADDERS_NONE };

static const char usage[] =
	"usage: verge replay CAPTURE -c FILE [options]\n"
	"  -c FILE             the configuration that the calls of the capture meet\n"
	"  --compare FILE      another one: what is different with it\n"
	"  --as ADDRESS=PORT   in the capture, verge's port PORT has this address "
	"(ADDRESS[:UDP-PORT]);\n"
	"                      may be repeated; without it the addresses of the configuration "
	"count\n"
	"  --call CALL-ID      only the call whose caller has this Call-ID\n"
	"  --ladder WHICH      all, different or none; without it all of 20 calls, else those that "
	"differ\n"
	"  --svg FILE          ladders as SVG too: FILE, with the number of the call before its "
	"ending\n"
	"  --cdr FILE          CDRs to a file instead of below each call\n"
	"  --until SECONDS     go on for so long after the last message (5)\n"
	"  --silent            peers say nothing that is not in the capture\n";

struct arguments {
	const char *capture, *config, *compare, *call, *svg, *cdr;
	const char *as[ROLES_AS_MAX];
	unsigned n_as;
	enum ladders ladders;
	struct play_options play;
};

static bool read_ladders(struct arguments *a, const char *word)
{
	static const char *const words[] = {"", "all", "different", "none"};

	for (unsigned i = 1; i < 4; i++)
		if (strcmp(word, words[i]) == 0) {
			a->ladders = (enum ladders)i;
			return true;
		}
	fprintf(stderr, "verge replay: --ladder %s: it must be all, different or none\n", word);
	return false;
}

static bool read_seconds(struct arguments *a, const char *text)
{
	char *end;
	unsigned long s = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || s > 31 * 86400) {
		fprintf(stderr, "verge replay: --until %s: it must be 0 to 2678400 seconds\n",
			text);
		return false;
	}
	a->play.until_us = (uint64_t)s * 1000000;
	return true;
}

static bool read_option(struct arguments *a, int option)
{
	switch (option) {
	case 'c':
		a->config = optarg;
		return true;
	case 'C':
		a->compare = optarg;
		return true;
	case 'a':
		if (a->n_as == ROLES_AS_MAX)
			return false;
		a->as[a->n_as++] = optarg;
		return true;
	case 'i':
		a->call = optarg;
		return true;
	case 'l':
		return read_ladders(a, optarg);
	case 's':
		a->svg = optarg;
		return true;
	case 'd':
		a->cdr = optarg;
		return true;
	case 'u':
		return read_seconds(a, optarg);
	case 'q':
		a->play.silent = true;
		return true;
	default:
		return false;
	}
}

// 0, or the exit status plus 1.
static int read_arguments(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"compare", required_argument, NULL, 'C'},
		{"as", required_argument, NULL, 'a'},
		{"call", required_argument, NULL, 'i'},
		{"ladder", required_argument, NULL, 'l'},
		{"svg", required_argument, NULL, 's'},
		{"cdr", required_argument, NULL, 'd'},
		{"until", required_argument, NULL, 'u'},
		{"silent", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	a->play.until_us = 5000000;
	optind = 1;
	// NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			return EXIT_SUCCESS + 1;
		}
		if (!read_option(a, option)) {
			fputs(usage, stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (optind + 1 == argc && a->config != NULL) {
		a->capture = argv[optind];
		return 0;
	}
	fputs(usage, stderr);
	return EXIT_USAGE + 1;
}

static struct config *load(const char *path)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int rc = config_load(&config, path, NULL, NULL, &errors);

	config_errors_print(&errors, stderr);
	if (rc != 0 && errors.n == 0)
		fprintf(stderr, "verge replay: %s: %s\n", path, strerrordesc_np(-rc));
	config_errors_free(&errors);
	return rc == 0 ? config : NULL;
}

// One run: roles by the configuration, then the play. False: told on stderr.
static bool run(const struct arguments *a, struct capture *c, const char *path,
		struct played *played)
{
	struct roles *roles = region_alloc(&c->region, sizeof(*roles));
	struct config *config = load(path);
	char why[256] = "";

	if (config == NULL)
		return false;
	roles->capture = c;
	roles->config = config;
	for (unsigned i = 0; i < a->n_as; i++)
		if (!roles_as(roles, a->as[i], why, sizeof(why))) {
			fprintf(stderr, "verge replay: %s\n", why);
			config_free(config);
			return false;
		}
	roles_find(roles);
	if (roles->n == 0) {
		fprintf(stderr,
			"verge replay: no SIP message of the capture is between an address of a "
			"port "
			"and one of a trunk%s%s\n"
			"Say which of its addresses was the SBC's: --as ADDRESS=PORT\n",
			roles->seen[0] != '\0' ? "; it goes to " : "", roles->seen);
		config_free(config);
		return false;
	}
	if (play(played, roles, config, &a->play) != 0 || played->error[0] != '\0') {
		fprintf(stderr, "verge replay: %s\n", played->error);
		return false;
	}
	return true;
}

// --- the report

static void print_skipped(const struct capture *c, const struct played *p)
{
	static const char *const texts[] = {
#define SKIP(id, text) [SKIP_##id] = text,
#include "control/replay/skip.def"
	};

	if (c->cut[0] != '\0')
		printf("the capture ends in the middle: %s\n", c->cut);
	for (unsigned i = 0; i < SKIP_N; i++) {
		unsigned long long n = c->skipped[i];

		n += p->skipped[i];
		if (texts[i] != NULL && n != 0)
			printf("not replayed: %llu %s\n", n, texts[i]);
	}
}

static void print_verdicts(const struct played *p)
{
	static const struct {
		const char *id, *help;
	} rows[] = {
#define VERDICT(id, class, help) [VERDICT_##id] = {#id, help},
#include "stat/verdict.def"
	};

	for (unsigned i = 1; i < VERDICT_N; i++)
		if (p->verdicts[i] != 0 && rows[i].id != NULL && i != VERDICT_SIP_HANDLED &&
		    i != VERDICT_SIP_RETRANSMISSION)
			printf("verge: %llu messages %s (%s)\n", (unsigned long long)p->verdicts[i],
			       rows[i].id, rows[i].help);
}

static void print_svg(const struct arguments *a, unsigned number, const struct telling *t,
		      const struct both *b, uint32_t n)
{
	const char *dot = strrchr(a->svg, '.');
	char path[512], title[64];
	FILE *to;

	if (dot == NULL || strchr(dot, '/') != NULL)
		dot = a->svg + strlen(a->svg);
	snprintf(path, sizeof(path), "%.*s-%u%s", (int)(dot - a->svg), a->svg, number, dot);
	snprintf(title, sizeof(title), "call %u", number);
	to = fopen(path, "w");
	if (to == NULL) {
		fprintf(stderr, "verge replay: %s: %s\n", path, strerrordesc_np(errno));
		return;
	}
	telling_svg(to, t, b, n, title);
	fclose(to);
}

static bool wants_ladder(const struct arguments *a, uint32_t calls, unsigned differences)
{
	switch (a->ladders) {
	case LADDERS_ALL:
		return true;
	case LADDERS_NONE:
		return false;
	case LADDERS_DIFFERENT:
		return differences != 0;
	case LADDERS_AUTO:
		break;
	}
	return calls <= LADDERS_FEW || differences != 0;
}

static void print_side(const char *name, const struct telling *t, const char *sbc)
{
	char text[256];
	bool dropped = telling_outcome(t, sbc, text, sizeof(text));

	printf("  %-9s %s; refreshes sent by %s: %u%s\n", name, text, sbc, telling_refreshes(t),
	       dropped ? " [dropped]" : "");
}

static unsigned print_call(const struct arguments *a, unsigned number, uint32_t calls,
			   const struct played_call *call)
{
	uint32_t n;
	struct both *b = telling_align(&call->was, &call->is, &n);
	unsigned differences = telling_differences(b, n);

	printf("\ncall %u: %.*s to %.*s, Call-ID %.*s\n", number, SLICE_ARG(call->from),
	       SLICE_ARG(call->to), SLICE_ARG(call->call_id));
	print_side("capture", &call->was, "the SBC");
	print_side("replay", &call->is, "verge");
	printf("  %-9s %u messages differ\n", "", differences);
	if (wants_ladder(a, calls, differences))
		telling_text(stdout, &call->is, b, n);
	if (a->svg != NULL)
		print_svg(a, number, &call->is, b, n);
	if (call->cdr != NULL && a->cdr == NULL)
		printf("  cdr %s\n", call->cdr);
	return differences;
}

static bool is_wanted(const struct arguments *a, const struct played_call *call)
{
	return a->call == NULL || slice_eq(call->call_id, slice_of_str(a->call));
}

static void print_played(const struct arguments *a, const struct capture *c, const struct played *p)
{
	unsigned different = 0, dropped = 0, shown = 0;
	char text[256];

	printf("%llu frames, %u SIP messages, %u calls; peers said %llu messages, %llu of them "
	       "assumed\n",
	       (unsigned long long)c->frames, c->n, p->n, (unsigned long long)p->played,
	       (unsigned long long)p->assumed);
	for (uint32_t i = 0; i < p->n; i++) {
		if (!is_wanted(a, p->call[i]))
			continue;
		shown++;
		different += print_call(a, i + 1, p->n, p->call[i]) != 0;
		dropped += telling_outcome(&p->call[i]->is, "verge", text, sizeof(text));
	}
	printf("\n%u calls: %u go as the capture shows, %u differently; verge drops %u\n", shown,
	       shown - different, different, dropped);
	if (p->legs_unclaimed != 0)
		printf("%u legs that the SBC of the capture began have no counterpart\n",
		       p->legs_unclaimed);
	print_verdicts(p);
	print_skipped(c, p);
}

static const struct played_call *find_call(const struct played *p, struct slice call_id)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (slice_eq(p->call[i]->call_id, call_id))
			return p->call[i];
	return NULL;
}

static void print_compared(const struct arguments *a, const struct capture *c,
			   const struct played *one, const struct played *two)
{
	unsigned different = 0;

	printf("- is %s, + is %s\n", a->config, a->compare);
	for (uint32_t i = 0; i < one->n; i++) {
		const struct played_call *call = one->call[i];
		const struct played_call *other = find_call(two, call->call_id);
		const struct telling none = {.region = one->region};
		const struct telling *is = other != NULL ? &other->is : &none;
		uint32_t n;
		struct both *b;
		unsigned differences;

		if (!is_wanted(a, call))
			continue;
		b = telling_align(&call->is, is, &n);
		differences = telling_differences(b, n);
		different += differences != 0;
		printf("\ncall %u: %.*s to %.*s, Call-ID %.*s\n", i + 1, SLICE_ARG(call->from),
		       SLICE_ARG(call->to), SLICE_ARG(call->call_id));
		print_side("-", &call->is, "verge");
		print_side("+", is, "verge");
		if (wants_ladder(a, one->n, differences))
			telling_text(stdout, other != NULL ? is : &call->is, b, n);
		if (a->svg != NULL)
			print_svg(a, i + 1, is, b, n);
	}
	printf("\n%u of %u calls differ\n", different, one->n);
	print_skipped(c, two);
}

static bool write_cdrs(const struct arguments *a, const struct played *p)
{
	FILE *to = fopen(a->cdr, "w");

	for (uint32_t i = 0; to != NULL && i < p->n; i++)
		if (is_wanted(a, p->call[i]) && p->call[i]->cdr != NULL)
			fprintf(to, "%s\n", p->call[i]->cdr);
	if (to != NULL && fclose(to) == 0)
		return true;
	fprintf(stderr, "verge replay: %s: %s\n", a->cdr, strerrordesc_np(errno));
	return false;
}

static int replay(const struct arguments *a, struct capture *c)
{
	struct played one, two;

	if (!run(a, c, a->config, &one))
		return EXIT_FAILURE;
	if (a->cdr != NULL && !write_cdrs(a, &one))
		return EXIT_FAILURE;
	if (a->compare == NULL) {
		print_played(a, c, &one);
		return EXIT_SUCCESS;
	}
	if (!run(a, c, a->compare, &two))
		return EXIT_FAILURE;
	print_compared(a, c, &one, &two);
	return EXIT_SUCCESS;
}

int replay_main(int argc, char **argv)
{
	struct arguments a = {0};
	struct capture c;
	char why[256] = "";
	int rc = read_arguments(&a, argc, argv);

	if (rc != 0)
		return rc - 1;
	if (capture_read(&c, a.capture, why, sizeof(why)) != 0) {
		fprintf(stderr, "verge replay: %s: %s\n", a.capture, why);
		return EXIT_FAILURE;
	}
	if (c.n == 0) {
		struct played nothing = {0};

		printf("%llu frames, no SIP message\n", (unsigned long long)c.frames);
		print_skipped(&c, &nothing);
		capture_free(&c);
		return EXIT_FAILURE;
	}
	rc = replay(&a, &c);
	capture_free(&c);
	return rc;
}
