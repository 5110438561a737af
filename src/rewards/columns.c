#include "rewards/columns.h"

#include "base/codec.h"
#include "rewards/epoch.h"

/* A machine may run many jobs at once, and each counts. */
enum { JOBS_MAX = 256, FIGURE_MAX = 10000000 };

#define WORKER(field) #field, COLUMN_NUMBER, offsetof(struct epoch_worker, field)
#define FIGURE(field) #field, COLUMN_NUMBER, offsetof(struct epoch_worker, figures.field)
#define CHECKER(field) #field, COLUMN_NUMBER, offsetof(struct epoch_checker, field)

const struct column terms_columns[] = {
	{ "epoch", COLUMN_NUMBER, offsetof(struct epoch_terms, number), .max = UINT32_MAX },
	{ "worker_total", COLUMN_TOKENS, offsetof(struct epoch_terms, worker_total) },
	{ "checker_total", COLUMN_TOKENS, offsetof(struct epoch_terms, checker_total) },
	{ "ratio_bp", COLUMN_NUMBER, offsetof(struct epoch_terms, ratio_bp), .max = BASIS_POINTS },
	{ "commission_bp", COLUMN_NUMBER, offsetof(struct epoch_terms, commission_bp),
	  .max = BASIS_POINTS },
	{ "max_stake", COLUMN_TOKENS, offsetof(struct epoch_terms, max_stake), .min = 1 },
	{ 0 },
};

const struct column worker_columns[] = {
	{ "id", COLUMN_ADDRESS, offsetof(struct epoch_worker, id) },
	{ "owner", COLUMN_ADDRESS, offsetof(struct epoch_worker, owner) },
	{ WORKER(uptime_s), .max = EPOCH_SECONDS },
	{ WORKER(jobtime_s), .max = (uint64_t)JOBS_MAX * EPOCH_SECONDS },
	{ "stake", COLUMN_TOKENS, offsetof(struct epoch_worker, stake) },
	{ FIGURE(down_mbps), .max = FIGURE_MAX },
	{ FIGURE(up_mbps), .max = FIGURE_MAX },
	{ FIGURE(cores), .max = FIGURE_MAX },
	{ FIGURE(gpu_milli), .max = FIGURE_MAX },
	{ FIGURE(disk_gb), .max = 100 * (uint64_t)FIGURE_MAX },
	{ FIGURE(memory_gb), .max = FIGURE_MAX },
	{ "standing", COLUMN_BANNED, offsetof(struct epoch_worker, banned) },
	{ 0 },
};

const struct column checker_columns[] = {
	{ "id", COLUMN_ADDRESS, offsetof(struct epoch_checker, id) },
	{ "owner", COLUMN_ADDRESS, offsetof(struct epoch_checker, owner) },
	{ CHECKER(licences_milli), .max = 1000000000 },
	{ CHECKER(valid), .max = 1000000000 },
	{ CHECKER(wrong), .max = 1000000000 },
	{ "standing", COLUMN_BANNED, offsetof(struct epoch_checker, banned) },
	{ 0 },
};

const struct column delegator_columns[] = {
	{ "account", COLUMN_ADDRESS, offsetof(struct epoch_delegator, account) },
	{ "stake", COLUMN_TOKENS, offsetof(struct epoch_delegator, stake), .min = 1 },
	{ 0 },
};

static bool read_address(const char *text, size_t len, struct address *ret_address)
{
	if (len != ADDRESS_TEXT_SIZE - 1 || memcmp(text, "0x", 2) != 0)
		return false;
	for (size_t i = 2; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'F')
			return false;
	return hex_decode(text + 2, len - 2, ret_address->bytes, sizeof(ret_address->bytes)) == 0;
}

static bool read_number(const char *text, size_t len, uint64_t *ret_number)
{
	struct tokens tokens;

	if (tokens_parse(text, len, &tokens) < 0 || tokens.units > UINT64_MAX)
		return false;
	*ret_number = (uint64_t)tokens.units;
	return true;
}

static bool read_banned(const char *text, size_t len, bool *ret_banned)
{
	bool banned = len == 6 && memcmp(text, "banned", 6) == 0;

	if (!banned && !(len == 2 && memcmp(text, "ok", 2) == 0))
		return false;
	*ret_banned = banned;
	return true;
}

bool column_read(const struct column *column, const char *text, size_t len, void *record)
{
	void *field = (char *)record + column->offset;

	switch (column->kind) {
	case COLUMN_ADDRESS:
		return read_address(text, len, field);
	case COLUMN_NUMBER:
		return read_number(text, len, field);
	case COLUMN_TOKENS:
		return tokens_parse(text, len, field) == 0;
	case COLUMN_BANNED:
		return read_banned(text, len, field);
	case COLUMN_END:
		break;
	}
	return false;
}

size_t column_write(const struct column *column, const void *record,
		    char ret_text[static COLUMN_TEXT_SIZE])
{
	const void *field = (const char *)record + column->offset;
	bool banned;

	switch (column->kind) {
	case COLUMN_ADDRESS:
		memcpy(ret_text, "0x", 2);
		hex_encode(field, sizeof(struct address), ret_text + 2);
		return ADDRESS_TEXT_SIZE - 1;
	case COLUMN_NUMBER:
		return tokens_text((struct tokens){ *(const uint64_t *)field }, ret_text);
	case COLUMN_TOKENS:
		return tokens_text(*(const struct tokens *)field, ret_text);
	case COLUMN_BANNED:
		banned = *(const bool *)field;
		memcpy(ret_text, banned ? "banned" : "ok", banned ? 7 : 3);
		return banned ? 6 : 2;
	case COLUMN_END:
		break;
	}
	return 0;
}

bool column_holds(const struct column *column, const void *record)
{
	const void *field = (const char *)record + column->offset;
	unsigned __int128 value;

	if (column->kind == COLUMN_NUMBER)
		value = *(const uint64_t *)field;
	else if (column->kind == COLUMN_TOKENS)
		value = ((const struct tokens *)field)->units;
	else
		return true;
	return value >= column->min &&
	       value <= (column->kind == COLUMN_NUMBER ? column->max : TOKENS_MAX);
}

void column_rule(const struct column *column, char ret_text[static COLUMN_RULE_SIZE])
{
	const char *name = column->name;

	if (column->kind == COLUMN_ADDRESS)
		snprintf(ret_text, COLUMN_RULE_SIZE, "%s must be 0x and 40 lower-case hex digits",
			 name);
	else if (column->kind == COLUMN_NUMBER)
		snprintf(ret_text, COLUMN_RULE_SIZE,
			 "%s must be a whole number from %" PRIu64 " to %" PRIu64, name,
			 column->min, column->max);
	else if (column->kind == COLUMN_TOKENS)
		snprintf(ret_text, COLUMN_RULE_SIZE,
			 "%s must be a whole number from %" PRIu64 " to 2^96 - 1", name,
			 column->min);
	else
		snprintf(ret_text, COLUMN_RULE_SIZE, "%s must be ok or banned", name);
}
