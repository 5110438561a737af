#include "popw/judge.h"

#include "base/codec.h"

enum { SET_TEXT_SIZE = 2 + 3 * SESSION_PANEL_MAX };

/* "[0,2,31]" */
static const char *set_text(uint32_t set, char ret_text[static SET_TEXT_SIZE])
{
	size_t len = 0;

	ret_text[len++] = '[';
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (set >> i & 1)
			len += (size_t)snprintf(ret_text + len, SET_TEXT_SIZE - len, "%s%u",
						len > 1 ? "," : "", i);
	ret_text[len++] = ']';
	ret_text[len] = 0;
	return ret_text;
}

static const char *word(const char *const *words, size_t n, unsigned int value)
{
	return value < n && words[value] ? words[value] : "unknown";
}

static const char *outcome_word(uint8_t outcome)
{
	static const char *const words[] = {
		[VERDICT_PASSED] = "passed",
		[VERDICT_LOWER] = "lower",
		[VERDICT_FAILED] = "failed",
		[VERDICT_NO_MAJORITY] = "no_majority",
	};

	return word(words, ARRAY_SIZE(words), outcome);
}

static const char *kind_word(uint8_t kind)
{
	static const char *const words[] = {
		[SESSION_REGISTRATION] = "registration",
		[SESSION_STANDBY] = "standby",
		[SESSION_RENTED] = "rented",
		[SESSION_APPEAL] = "appeal",
		[SESSION_SELF_TEST] = "self_test",
	};

	return word(words, ARRAY_SIZE(words), kind);
}

static const char *device_word(uint8_t device)
{
	static const char *const words[] = {
		[SESSION_GPU] = "gpu",
		[SESSION_HOST] = "host",
		[SESSION_DISK] = "disk",
	};

	return word(words, ARRAY_SIZE(words), device);
}

static const char *class_name(int class_)
{
	if (class_ < 0)
		return "none";
	return (size_t)class_ < class_rows_n ? class_rows[class_].name : "unknown";
}

/* What was proved, by whom, to whom. */
static char *session_text(const struct session *session, struct arena *arena)
{
	char id[ID_TEXT_SIZE], network[41], machine[41], gpu[2 * SESSION_UUID_SIZE + 1];

	proof_id_text(&session->id, id);
	hex_encode(session->network.bytes, sizeof(session->network.bytes), network);
	hex_encode(session->machine.bytes, sizeof(session->machine.bytes), machine);
	hex_encode(session->gpu_uuid, SESSION_UUID_SIZE, gpu);
	return arena_printf(arena,
			    "\"proof\":\"%s\",\"kind\":\"%s\",\"network\":\"0x%s\","
			    "\"machine\":\"0x%s\",\"device\":\"%s\",\"gpu_uuid\":\"%s\","
			    "\"gpu_index\":%u,\"epoch\":%" PRIu64,
			    id, kind_word(session->kind), network, machine,
			    device_word(session->device), gpu, session->gpu_index, session->epoch);
}

static char *panel_text(const struct verdict *verdict, struct arena *arena)
{
	char agreeing[SET_TEXT_SIZE], wrong[SET_TEXT_SIZE];
	char silent[SET_TEXT_SIZE], unrevealed[SET_TEXT_SIZE], deviating[SET_TEXT_SIZE];

	return arena_printf(arena,
			    "\"agreeing\":%s,\"wrong\":%s,\"silent\":%s,\"unrevealed\":%s,"
			    "\"deviating\":%s",
			    set_text(verdict->agreeing, agreeing), set_text(verdict->wrong, wrong),
			    set_text(verdict->silent, silent),
			    set_text(verdict->unrevealed, unrevealed),
			    set_text(verdict->deviating, deviating));
}

static char *figures_text(const struct verdict *verdict, struct arena *arena)
{
	const struct measured *measured = &verdict->measured;

	return arena_printf(arena,
			    "\"fill_us\":%u,\"walk_us\":%u,\"matrix_us\":%u,\"down_kbps\":%u,"
			    "\"up_kbps\":%u,\"matrix_mops\":%" PRIu64 ",\"walk_kbps\":%" PRIu64
			    ",\"set_mib\":%u",
			    verdict->fill_us, verdict->walk_us, verdict->matrix_us,
			    verdict->down_kbps, verdict->up_kbps, measured->matrix_mops,
			    measured->walk_kbps, measured->set_mib);
}

int verdict_text(const struct session *session, const struct verdict *verdict, struct arena *arena,
		 const char **ret_text)
{
	char *head = session_text(session, arena), *panel = panel_text(verdict, arena);
	char *figures = figures_text(verdict, arena), *text;
	char transcript[2 * HASH_SIZE + 1];

	if (!head || !panel || !figures)
		return -ENOMEM;
	hex_encode(verdict->transcript.bytes, HASH_SIZE, transcript);
	text = arena_printf(arena,
			    "{%s,\"outcome\":\"%s\",\"bits\":%u,\"transcript\":\"%s\",%s,%s,"
			    "\"claimed\":\"%s\",\"earned\":\"%s\",\"score_milli\":%u}\n",
			    head, outcome_word(verdict->outcome), verdict->bits, transcript, panel,
			    figures, class_name(verdict->claimed), class_name(verdict->earned),
			    verdict->score_milli);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}
