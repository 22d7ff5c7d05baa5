// SPDX-License-Identifier: BSD-3-Clause
// control/cdr_file: whole lines in order, rotation by time and size, reopening, a disk that is
// full.
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/cdr_csv.h"
#include "control/cdr_file.h"

#define HOUR_US 3600000000ull
#define START	(500000 * HOUR_US)

static char dir[64], path[96], logged[8192];
static unsigned open_before; // descriptors of this process, before the test

static void keep_log(void *ctx, enum control_level level, const char *area, const char *line)
{
	size_t n = strlen(logged);

	(void)ctx;
	(void)level;
	(void)area;
	snprintf(logged + n, sizeof(logged) - n, "%s\n", line);
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL) // NOLINT(concurrency-mt-unsafe): only this thread reads d
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	(void)state;
	open_before = open_descriptors();
	snprintf(dir, sizeof(dir), "/tmp/verge-cdr-XXXXXX");
	logged[0] = '\0';
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/cdr.jsonl", dir);
	return 0;
}

static unsigned each_file(void (*visit)(const char *name, void *arg), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;
	char name[400];

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) { // NOLINT(concurrency-mt-unsafe): one thread
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
		if (visit != NULL)
			visit(name, arg);
		n++;
	}
	closedir(d);
	return n;
}

static void remove_one(const char *name, void *arg)
{
	(void)arg;
	unlink(name);
}

// A thread that forces a finished file to the disk may be as slow as it likes; its descriptor is
// the last that it gives back. What it does must not count in the next test.
static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10000 && open_descriptors() != open_before; i++)
		usleep(1000);
	assert_int_equal(open_descriptors(), open_before);
	each_file(remove_one, NULL);
	return rmdir(dir);
}

static struct config_cdr config_of(const char *file)
{
	return (struct config_cdr){.file = file, .rotate_s = 3600, .sync = CONFIG_CDR_SYNC_NONE};
}

static struct cdr_file *open_one(const struct config_cdr *config)
{
	struct cdr_file *f = cdr_file_new(keep_log, NULL);

	assert_non_null(f);
	cdr_file_configure(f, config, START);
	return f;
}

static void put(struct cdr_file *f, unsigned number)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "{\"n\":%u}", number);

	cdr_file_put(f, line, (size_t)n);
}

// Every file holds whole lines; adds what they say and how many there are.
struct tally {
	unsigned lines, sum;
};

static void tally_one(const char *name, void *arg)
{
	struct tally *tally = arg;
	FILE *in = fopen(name, "r");
	char line[64];

	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL) {
		unsigned n;

		if (sscanf(line, "{\"n\":%u}\n", &n) != 1 || strchr(line, '}')[1] != '\n')
			fail_msg("%s: %s", name, line);
		tally->lines++;
		tally->sum += n;
	}
	fclose(in);
}

static void expect(unsigned n, unsigned files)
{
	struct tally tally = {0};

	assert_int_equal(each_file(tally_one, &tally), files);
	assert_int_equal(tally.lines, n);
	assert_int_equal(tally.sum, n * (n - 1) / 2);
}

static void rotates_by_time(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file *f = open_one(&config);
	struct cdr_file_stats stats;

	(void)state;
	for (unsigned i = 0; i < 30; i++) { // 10 lines in each of 3 hours
		put(f, i);
		cdr_file_poll(f, 0, START + i / 10 * HOUR_US + HOUR_US / 2);
	}
	// the third file is due at the full hour
	assert_int_equal(cdr_file_next(f, 1000, START + 3 * HOUR_US - 5), 1005);
	cdr_file_stats(f, &stats);
	assert_int_equal(stats.rotations, 2);
	assert_int_equal(stats.lines, 30);
	cdr_file_free(f, START + 3 * HOUR_US);
	expect(30, 4 - 1 + 0);
	assert_int_equal(stats.lost, 0);
}

static void nothing_to_rotate_is_not_rotated(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file *f = open_one(&config);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		cdr_file_poll(f, 0, START + i * HOUR_US);
	assert_int_equal(each_file(NULL, NULL), 1);
	assert_int_equal(cdr_file_next(f, 0, START + 10 * HOUR_US), TICK_NEVER);
	cdr_file_free(f, START);
}

static void rotates_by_size(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file *f;
	static char line[1000];

	(void)state;
	memset(line, 'x', sizeof(line));
	config.rotate_s = 0;
	config.rotate_mib = 1;
	config.sync = CONFIG_CDR_SYNC_ROTATE;
	f = open_one(&config);
	for (unsigned i = 0; i < 5000; i++)
		cdr_file_put(f, line, sizeof(line)); // 5 MB at once
	cdr_file_poll(f, 0, START);
	cdr_file_free(f, START);
	assert_in_range(each_file(NULL, NULL), 4, 5);
}

static void full_disk_loses_nothing_that_fits(void **state)
{
	struct config_cdr config = config_of("/dev/full");
	struct cdr_file *f = open_one(&config);
	struct cdr_file_stats stats;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		put(f, i);
		cdr_file_poll(f, TICK_MS(i), START);
	}
	cdr_file_stats(f, &stats);
	assert_in_range(stats.errors, 1, 2); // tried once a second, not once a line
	assert_int_equal(cdr_file_next(f, TICK_MS(1100), START), TICK_MS(1100));
	assert_non_null(strstr(logged, "write_failed"));
	assert_non_null(strstr(logged, "No space left"));
	assert_null(strstr(strstr(logged, "write_failed") + 1, "write_failed")); // told once
	config.file = path; // the operator points to another disk
	cdr_file_configure(f, &config, START);
	cdr_file_poll(f, TICK_S(3), START);
	assert_non_null(strstr(logged, "writing_again"));
	cdr_file_free(f, START);
	expect(1000, 1);
}

static void backlog_is_bounded(void **state)
{
	struct config_cdr config = config_of("/nowhere/at/all");
	struct cdr_file *f = open_one(&config);
	static char line[65535];
	struct cdr_file_stats stats;

	(void)state;
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 1000; i++)
		cdr_file_put(f, line, sizeof(line));
	cdr_file_stats(f, &stats);
	assert_int_equal(stats.backlog_bytes, CDR_FILE_BACKLOG);
	assert_int_equal(stats.lost, 1000 - CDR_FILE_BACKLOG / 65536);
	cdr_file_free(f, START);
}

// The disk takes half a line: the rest follows when there is room, and no line is broken.
static void half_a_line_is_completed(void **state)
{
	struct config_cdr config = config_of(path);
	struct rlimit old, small;
	struct cdr_file *f;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 100;
	f = open_one(&config);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned i = 0; i < 50; i++)
		put(f, i);
	cdr_file_poll(f, 0, START);
	put(f, 50);
	cdr_file_poll(f, TICK_S(2), START + 2 * HOUR_US); // due for rotation, but not inside a line
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	cdr_file_poll(f, TICK_S(4), START);
	cdr_file_free(f, START);
	expect(51, 1);
}

static void moved_file_is_made_again(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file *f = open_one(&config);
	char other[128];

	(void)state;
	put(f, 0);
	cdr_file_poll(f, 0, START);
	snprintf(other, sizeof(other), "%s.moved", path);
	assert_int_equal(rename(path, other), 0); // logrotate, then SIGHUP
	put(f, 1);
	cdr_file_configure(f, &config, START);
	put(f, 2);
	cdr_file_poll(f, 0, START);
	cdr_file_free(f, START);
	expect(3, 2);
}

static void open_line_of_dead_process_is_closed(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file *f;
	FILE *out = fopen(path, "w");
	char text[64] = "";
	FILE *in;

	(void)state;
	assert_non_null(out);
	fputs("{\"n\":", out);
	fclose(out);
	config.rotate_s = 0;
	f = open_one(&config);
	put(f, 7);
	cdr_file_free(f, START);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, in), 14);
	fclose(in);
	assert_string_equal(text, "{\"n\":\n{\"n\":7}\n");
}

static void no_file_no_line(void **state)
{
	struct config_cdr config = config_of("");
	struct cdr_file *f = open_one(&config);
	struct cdr_file_stats stats;

	(void)state;
	put(f, 1);
	cdr_file_poll(f, 0, START);
	cdr_file_stats(f, &stats);
	assert_int_equal(stats.backlog_bytes, 0);
	assert_int_equal(cdr_file_next(f, 0, START), TICK_NEVER);
	cdr_file_free(f, START);
	assert_int_equal(each_file(NULL, NULL), 0);
}

// Lines are gathered for flush and no longer; many do not wait.
static void lines_wait_for_flush(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file_stats stats;
	struct cdr_file *f;
	static char line[65535];

	(void)state;
	config.flush_ms = 200;
	f = open_one(&config);
	put(f, 0);
	cdr_file_poll(f, TICK_S(5), START);
	assert_int_equal(cdr_file_next(f, TICK_S(5), START), TICK_S(5) + TICK_MS(200));
	put(f, 1);
	cdr_file_poll(f, TICK_S(5) + TICK_MS(199), START);
	cdr_file_stats(f, &stats);
	assert_int_equal(stats.lines, 0);
	cdr_file_poll(f, TICK_S(5) + TICK_MS(200), START);
	cdr_file_stats(f, &stats);
	assert_int_equal(stats.lines, 2);
	expect(2, 1);
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 17; i++)
		cdr_file_put(f, line, sizeof(line));
	cdr_file_poll(f, TICK_S(6), START);
	cdr_file_stats(f, &stats);
	assert_int_equal(stats.lines, 19);
	put(f, 2);
	cdr_file_free(f, START); // the orderly stop does not wait
	assert_int_equal(truncate(path, 0), 0);
}

// What is forced to the disk, in the place of the C library's; by threads, in any order.
static struct {
	pthread_mutex_t mutex;
	unsigned times;
	int error;
	struct {
		ino_t inode;
		off_t bytes; // most that were there when it was forced
	} files[8];
} forced = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note_forced(const struct stat *st)
{
	for (size_t i = 0; i < sizeof(forced.files) / sizeof(forced.files[0]); i++) {
		if (forced.files[i].inode != st->st_ino && forced.files[i].inode != 0)
			continue;
		forced.files[i].inode = st->st_ino;
		if (st->st_size > forced.files[i].bytes)
			forced.files[i].bytes = st->st_size;
		return;
	}
	abort();
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): reserved in the header
int fdatasync(int fd)
{
	struct stat st;
	int error;

	if (fstat(fd, &st) != 0)
		abort(); // not cmocka's: it knows one thread
	pthread_mutex_lock(&forced.mutex);
	note_forced(&st);
	forced.times++;
	error = forced.error;
	pthread_mutex_unlock(&forced.mutex);
	errno = error;
	return error != 0 ? -1 : 0;
}

static void forget_forced(int error)
{
	pthread_mutex_lock(&forced.mutex);
	forced.times = 0;
	forced.error = error;
	memset(forced.files, 0, sizeof(forced.files));
	pthread_mutex_unlock(&forced.mutex);
}

static unsigned forced_times(void)
{
	unsigned n;

	pthread_mutex_lock(&forced.mutex);
	n = forced.times;
	pthread_mutex_unlock(&forced.mutex);
	return n;
}

// Bytes of the file that are on the disk.
static off_t forced_bytes(const struct stat *file)
{
	off_t n = 0;

	pthread_mutex_lock(&forced.mutex);
	for (size_t i = 0; i < sizeof(forced.files) / sizeof(forced.files[0]); i++)
		if (forced.files[i].inode == file->st_ino)
			n = forced.files[i].bytes;
	pthread_mutex_unlock(&forced.mutex);
	return n;
}

// Ten lines in each of three hours.
static struct cdr_file *three_files(enum config_cdr_sync sync)
{
	struct config_cdr config = config_of(path);
	struct cdr_file *f;

	config.sync = sync;
	forget_forced(0);
	f = open_one(&config);
	for (unsigned i = 0; i < 30; i++) {
		put(f, i);
		cdr_file_poll(f, TICK_MS(i), START + i / 10 * HOUR_US + HOUR_US / 2);
	}
	return f;
}

static void sync_none_forces_nothing(void **state)
{
	(void)state;
	cdr_file_free(three_files(CONFIG_CDR_SYNC_NONE), START);
	expect(30, 3);
	assert_int_equal(forced_times(), 0);
}

static void sync_rotate_forces_what_is_finished(void **state)
{
	struct cdr_file *f = three_files(CONFIG_CDR_SYNC_ROTATE);

	(void)state;
	for (unsigned i = 0; i < 5000 && forced_times() != 2; i++)
		usleep(1000);
	assert_int_equal(forced_times(), 2);
	cdr_file_free(f, START); // waits for the disk: the orderly stop
	assert_int_equal(forced_times(), 3);
	expect(30, 3);
}

// A thread forces the file to the disk, line after line, also when it is busy: the last line does
// not wait for another one.
static void sync_always_forces_each_line(void **state)
{
	struct cdr_file *f = three_files(CONFIG_CDR_SYNC_ALWAYS);
	off_t size = 10 * sizeof("{\"n\":20}");
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	for (unsigned i = 0; i < 5000 && forced_bytes(&st) != size; i++) {
		cdr_file_poll(f, TICK_S(1), START + 2 * HOUR_US + HOUR_US / 2);
		usleep(1000);
	}
	assert_int_equal(forced_bytes(&st), size);
	cdr_file_free(f, START);
	expect(30, 3);
}

// A disk that takes lines and then cannot keep them: counted and told; lines go on.
static void disk_that_cannot_keep(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file_stats stats = {0};
	struct cdr_file *f;

	(void)state;
	forget_forced(EIO);
	config.sync = CONFIG_CDR_SYNC_ALWAYS;
	f = open_one(&config);
	put(f, 0);
	for (unsigned i = 0; i < 5000 && stats.errors == 0; i++) {
		cdr_file_poll(f, TICK_MS(i), START);
		cdr_file_stats(f, &stats);
		usleep(1000);
	}
	assert_int_equal(stats.errors, 1);
	assert_non_null(strstr(logged, "sync_failed"));
	assert_non_null(strstr(logged, "Input/output error"));
	forget_forced(0);
	put(f, 1);
	cdr_file_free(f, START);
	expect(2, 1);
}

static void read_text(const char *name, char *text, size_t size)
{
	FILE *in = fopen(name, "r");

	assert_non_null(in);
	text[fread(text, 1, size - 1, in)] = '\0';
	fclose(in);
}

// Programs of operators count columns: none of these is ever moved, renamed or removed; what is new
// comes behind.
static const char columns[] =
	"call_id,start,ringing,answer,end,duration_s,setup_ms,code,reason,from,to,"
	"ingress_trunk,ingress_source,egress_trunk,egress_call_id,egress_source,"
	"release_by,release_cause,release_subcause,release_sentence,release_suspect,"
	"ingress_se_s,ingress_refresher,ingress_negotiated_by,ingress_refresh_method,"
	"ingress_refreshes_sent,ingress_refreshes_received,ingress_refreshes_failed,"
	"ingress_last_refresh_ok,ingress_last_proof_of_life,ingress_attempts,"
	"ingress_billable_until,egress_se_s,egress_refresher,egress_negotiated_by,"
	"egress_refresh_method,egress_refreshes_sent,egress_refreshes_received,"
	"egress_refreshes_failed,egress_last_refresh_ok,egress_last_proof_of_life,"
	"egress_attempts,egress_billable_until,rtt_ms,warnings,tags,"
	"ingress_holds,egress_holds\n";

// A CSV file begins with its columns, and a file of the other format is finished first.
static void csv_has_a_header(void **state)
{
	struct config_cdr config = config_of(path);
	struct cdr_file *f;
	char text[4096];

	(void)state;
	config.rotate_s = 0;
	f = open_one(&config);
	put(f, 0);
	cdr_file_free(f, START);
	config.format = CONFIG_CDR_FORMAT_CSV;
	f = open_one(&config);
	cdr_file_put(f, "a,b", 3);
	cdr_file_free(f, START);
	f = open_one(&config); // once more: no second header
	cdr_file_put(f, "c,d", 3);
	cdr_file_free(f, START);
	assert_int_equal(each_file(NULL, NULL), 2);
	read_text(path, text, sizeof(text));
	assert_int_equal(strncmp(text, columns, sizeof(columns) - 2), 0);
	assert_string_equal(strchr(text, '\n'), "\na,b\nc,d\n");
}

static void csv_rows(void **state)
{
	static const struct {
		const char *shows, *json, *has;
	} rows[] = {
		{"an empty object", "{}", ",,,"},
		{"text, number, fraction", "{\"call_id\":\"x\",\"duration_s\":12.5,\"code\":200}",
		 "x,,,,,12.500,,200,"},
		{"null is empty", "{\"call_id\":null,\"code\":486}", ",,,,,,,486,"},
		{"quotes and commas", "{\"call_id\":\"a\\\"b,c\"}", "\"a\"\"b,c\",,"},
		{"lines stay lines", "{\"call_id\":\"a\\nb\"}", "\"a b\",,"},
		{"deep", "{\"legs\":[{\"se_s\":90},{\"session_timer_refreshes\":{\"failed\":3}}]}",
		 ",90,"},
		{"lists are counted", "{\"legs\":[{\"attempts\":[{},{}]}]}", ",2,"},
		{"words of a list", "{\"warnings\":[\"a\",\"b\"]}", ",a b,"},
		{"words with a comma", "{\"tags\":[\"a,b\",\"c\"]}", ",\"a,b c\""},
	};
	char room[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outbuf o = outbuf_of(room, sizeof(room) - 1);
		unsigned commas = 0;

		assert_true(cdr_csv_convert(&o, slice_of_str(rows[i].json)));
		room[o.len] = '\0';
		for (uint32_t k = 0, quoted = 0; k < o.len; k++) {
			quoted ^= room[k] == '"';
			commas += room[k] == ',' && !quoted;
		}
		if (strstr(room, rows[i].has) == NULL || commas != 47)
			fail_msg("%s: %s", rows[i].shows, room);
	}
	assert_false(cdr_csv_convert(&(struct outbuf){0}, SLICE_LIT("[1]")));
	assert_false(cdr_csv_convert(&(struct outbuf){0}, SLICE_LIT("{\"call_id\":")));
}

// As many tags as there may be, as long as they may be: none is lost.
static void csv_keeps_all_tags(void **state)
{
	static char json[8192], room[8192], tag[64];
	struct outbuf in = outbuf_of(json, sizeof(json)), o = outbuf_of(room, sizeof(room) - 1);

	(void)state;
	memset(tag, 'x', sizeof(tag) - 1);
	tag[sizeof(tag) - 1] = '\0';
	outbuf_put_lit(&in, "{\"tags\":[");
	for (unsigned i = 0; i < 64; i++) {
		outbuf_put_str(&in, i == 0 ? "\"" : ",\"");
		outbuf_put_str(&in, tag);
		outbuf_put_char(&in, '"');
	}
	outbuf_put_lit(&in, "]}");
	assert_false(in.full);
	assert_true(cdr_csv_convert(&o, outbuf_slice(&in)));
	room[o.len] = '\0';
	assert_int_equal(strspn(strchr(room, 'x'), "x "), 64 * 64 - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rotates_by_time, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_to_rotate_is_not_rotated, setup, teardown),
		cmocka_unit_test_setup_teardown(rotates_by_size, setup, teardown),
		cmocka_unit_test_setup_teardown(full_disk_loses_nothing_that_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(backlog_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(half_a_line_is_completed, setup, teardown),
		cmocka_unit_test_setup_teardown(moved_file_is_made_again, setup, teardown),
		cmocka_unit_test_setup_teardown(open_line_of_dead_process_is_closed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(no_file_no_line, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_wait_for_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(sync_none_forces_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(sync_rotate_forces_what_is_finished, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sync_always_forces_each_line, setup, teardown),
		cmocka_unit_test_setup_teardown(disk_that_cannot_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(csv_has_a_header, setup, teardown),
		cmocka_unit_test(csv_rows),
		cmocka_unit_test(csv_keeps_all_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
