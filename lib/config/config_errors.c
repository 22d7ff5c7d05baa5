// SPDX-License-Identifier: BSD-3-Clause
// Findings about a configuration: collected, sorted, printed.
// Control thread; allocates.
#include "config/config_schema.h"

#include <stdarg.h>
#include <stdlib.h>

void config_errors_add(struct config_errors *e, bool warning, uint32_t line, uint32_t column,
		       const char *format, ...)
{
	va_list args;

	if (warning)
		e->warnings++;
	else
		e->errors++;
	if (e->list == NULL)
		e->list = calloc(CONFIG_MAX_ERRORS, sizeof(*e->list));
	if (e->list == NULL || e->n == CONFIG_MAX_ERRORS)
		return;

	struct config_error *at = &e->list[e->n++];

	at->line = line;
	at->column = column;
	at->warning = warning;
	va_start(args, format);
	vsnprintf(at->text, sizeof(at->text), format, args);
	va_end(args);
}

static int by_line(const void *a, const void *b)
{
	const struct config_error *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

void config_errors_sort(struct config_errors *e)
{
	if (e->n != 0)
		qsort(e->list, e->n, sizeof(*e->list), by_line);
}

void config_errors_free(struct config_errors *errors)
{
	free(errors->list);
	memset(errors, 0, sizeof(*errors));
}

void config_errors_print(const struct config_errors *errors, FILE *to)
{
	for (uint32_t i = 0; i < errors->n; i++) {
		const struct config_error *e = &errors->list[i];

		if (e->line != 0)
			fprintf(to, "%s:%u: ", errors->file, e->line);
		else
			fprintf(to, "%s: ", errors->file);
		fprintf(to, "%s: %s\n", e->warning ? "warning" : "error", e->text);
	}
	if (errors->errors + errors->warnings > errors->n)
		fprintf(to, "%s: %u more not shown\n", errors->file,
			errors->errors + errors->warnings - errors->n);
}
