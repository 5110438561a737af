/* popw_verify.c - a published session again: the record that the control plane gives out, or only its
 * transcript, from a file offline or fetched by the session's id. */
#include "cmd/popw.h"

#include "base/codec.h"
#include "base/keccak.h"
#include "cmd/anchor.h"
#include "cmd/client.h"
#include "cmd/failure.h"
#include "cmd/file.h"
#include "cmd/options.h"
#include "popw/judge.h"
#include "popw/session.h"

enum { FILE_MAX = TRANSCRIPT_SIZE_MAX + 65536, ARENA_BYTES = 16 << 20 };

static const struct option_row rows[] = {
	{ "save", 0, "FILE", "keep the record that was fetched" },
	{ "url", 0, "URL", "the network to fetch it from (KAISAR_URL)" },
	ANCHOR_ROWS,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar popw verify [OPTIONS] FILE|PROOF",
	.about =
		"Verifies a published session of Proof of Physical Work again, on this CPU: from a "
		"file,\n"
		"asking nobody, or by its id (prf-...), fetching nothing but its record.\n"
		"Of a record it checks that each result is what its member committed to before any "
		"was told,\n"
		"and prints the panel's verdict, byte for byte as it was published, and on "
		"standard "
		"error a sentence on it; it ends with 0 "
		"where the\n"
		"panel was right. Of a bare transcript it prints what holds, with 0 where all "
		"does.\n"
		"With --rpc it then checks on the chain that the network anchored this very "
		"record.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

struct replay {
	struct hasher *hasher;
	struct verifier *verifier;
	struct arena *arena;
	bool is_record; /* and it holds: what it goes by on the chain */
	uint8_t id[32], digest[KECCAK_SIZE];
};

/* What the bits miss, for people. */
static void say_finding(const struct finding *finding)
{
	if (finding->detail[0])
		fprintf(stderr, "kaisar: %s\n", finding->detail);
}

static int flush(void)
{
	return fflush(stdout) != 0 ? cli_fault(-errno, "standard output") : 0;
}

/* ---- a bare transcript ---- */

static int replay_transcript(struct replay *replay, const char *bytes, size_t len)
{
	char digits[2 * HASH_SIZE + 1];
	struct transcript transcript;
	struct finding finding;
	const char *detail;
	struct hash hash;
	int r;

	r = transcript_decode(replay->hasher, bytes, len, replay->arena, &transcript, &detail);
	if (r < 0)
		return cli_fault(r, "transcript");
	if (r > 0)
		return cli_fail(CLI_FAILED, "neither a record nor a transcript: %s", detail);
	verify(replay->verifier, &transcript, &finding);
	hasher_once(replay->hasher, bytes, len, &hash);
	hex_encode(hash.bytes, HASH_SIZE, digits);
	printf("{\"bits\":%u,\"all\":%u,\"transcript\":\"%s\"}\n", finding.bits, PROOF_ALL, digits);
	say_finding(&finding);
	r = flush();
	return r != 0 || finding.bits != PROOF_ALL ? CLI_FAILED : 0;
}

/* ---- a record ---- */

static int compare(const struct record *record, const struct finding *finding,
		   const struct verdict *verdict)
{
	if (verdict->outcome == VERDICT_NO_MAJORITY)
		return cli_fail(CLI_FAILED, "the panel came to no majority");
	if (!hash_equal(&verdict->transcript, &record->transcript_hash))
		return cli_fail(CLI_FAILED, "the panel judged another transcript");
	if (verdict->bits != finding->bits)
		return cli_fail(CLI_FAILED,
				"the panel was wrong: it found %u, the transcript has %u",
				verdict->bits, finding->bits);
	return 0;
}

/* Who gave no result, for people: the verdict has their numbers. */
static void say_silent(const struct record *record)
{
	const struct testimony *testimony = &record->testimony;
	const struct transcript *transcript = &record->transcript;

	for (unsigned int i = 0; i < transcript->session.panel_size; i++) {
		char address[2 * sizeof(transcript->members[i].bytes) + 1];

		if (testimony->set >> i & 1)
			continue;
		hex_encode(transcript->members[i].bytes, sizeof(transcript->members[i].bytes),
			   address);
		fprintf(stderr, "kaisar: member %u (0x%s) %s\n", i, address,
			testimony->commits.set >> i & 1
				? "committed to a result and did not reveal it"
				: "committed to no result");
	}
}

static int replay_record(struct replay *replay, const char *bytes, size_t len)
{
	_cleanup_(freep) struct record *record = malloc(sizeof(*record));
	struct verdict verdict;
	struct finding finding;
	const char *detail, *text;
	int r, status;

	if (!record)
		return cli_fault(-ENOMEM, "record");
	r = record_decode(replay->hasher, bytes, len, replay->arena, record, &detail);
	if (r > 0)
		return cli_fail(CLI_FAILED, "the record is malformed: %s", detail);
	if (r == 0)
		r = record_replay(replay->verifier, record, &finding, &verdict);
	if (r > 0)
		return cli_fail(CLI_FAILED, "the record is false: %s", finding.detail);
	if (r == 0)
		r = verdict_text(&record->transcript.session, &verdict, replay->arena, &text);
	if (r < 0)
		return cli_fault(r, "record");
	fputs(text, stdout);
	say_finding(&finding);
	say_silent(record);
	replay->is_record = true;
	anchor_leaf_id(record->transcript.session.id.bytes,
		       sizeof(record->transcript.session.id.bytes), replay->id);
	keccak256(bytes, len, replay->digest);
	status = flush();
	if (status == 0)
		status = compare(record, &finding, &verdict);
	if (status == 0)
		fprintf(stderr,
			"kaisar: the verdict holds: computed again here, the session gives what "
			"the panel found: %s\n",
			finding.bits == PROOF_ALL ? "all is as the machine claimed"
						  : "the machine did not show what it claimed");
	return status;
}

/* ---- the subcommand ---- */

static int replay_bytes(struct replay *replay, const char *bytes, size_t len)
{
	if (len >= 6 && memcmp(bytes, "POPWR2", 6) == 0)
		return replay_record(replay, bytes, len);
	return replay_transcript(replay, bytes, len);
}

static int replay_file(struct replay *replay, const char *path)
{
	char *bytes;
	size_t len;
	int r;

	r = file_read(path, FILE_MAX, replay->arena, &bytes, &len);
	if (r == -ENOENT)
		return cli_fail(CLI_NOT_FOUND, "%s: no such file (a proof's id begins with prf-)",
				path);
	return r < 0 ? cli_fault(r, path) : replay_bytes(replay, bytes, len);
}

/* ---- fetched ---- */

static int read_answer(struct replay *replay, const json_t *answer, uint8_t **ret_bytes,
		       size_t *ret_len)
{
	const char *text = json_string_value(json_object_get(answer, "record"));
	uint8_t *bytes = arena_alloc(replay->arena, FILE_MAX);

	if (!bytes)
		return cli_fault(-ENOMEM, "record");
	if (!text || base64url_decode(text, strlen(text), bytes, FILE_MAX, ret_len) < 0)
		return cli_fail(CLI_FAILED, "the network's answer is no record");
	*ret_bytes = bytes;
	return 0;
}

static int keep(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *file = fopen(path, "wxe");
	bool written;

	if (!file && errno == EEXIST)
		return cli_fail(CLI_FAILED,
				"%s is there already: --save overwrites nothing, name another FILE",
				path);
	if (!file)
		return cli_fault(-errno, path);
	written = fwrite(bytes, 1, len, file) == len;
	return fclose(file) == 0 && written ? 0 : cli_fault(-EIO, path);
}

static int replay_fetched(struct replay *replay, const char *id, const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const char *save = options_get(options, "save", NULL);
	struct client_call call = { .method = "GET", .anonymous = true };
	uint8_t *bytes;
	size_t len;
	int r;

	r = client_open(options_get(options, "url", NULL), &client);
	if (r != 0)
		return r;
	call.path = arena_printf(client_arena(client), "/v1/proofs/%s/record", id);
	r = call.path ? client_call(client, &call, &answer) : cli_fault(-ENOMEM, id);
	if (r == 0)
		r = read_answer(replay, answer, &bytes, &len);
	if (r == 0 && save)
		r = keep(save, bytes, len);
	return r != 0 ? r : replay_bytes(replay, (const char *)bytes, len);
}

static int replay_named(struct replay *replay, const struct options *options)
{
	const char *word = options->words[0];
	struct proof_id id;

	if (proof_id_parse(word, &id) == 0)
		return replay_fetched(replay, word, options);
	if (options_has(options, "save"))
		return options_refuse(&table, "--save keeps what is fetched: name a proof's id");
	return replay_file(replay, word);
}

/* ---- on the chain ---- */

static int check_anchor(const struct replay *replay, const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	int r;

	if (!replay->is_record)
		return options_refuse(&table, "--rpc is for records: a transcript is not anchored");
	r = client_open(options_get(options, "url", NULL), &client);
	return r != 0 ? r
		      : anchor_verify(client, &table, options, ANCHOR_PROOFS, replay->id,
				      replay->digest, stderr);
}

int popw_verify(int argc, char **argv)
{
	struct replay replay = { .hasher = NULL };
	struct options options;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	r = hasher_new(&replay.hasher);
	if (r == 0)
		r = verifier_new(&replay.verifier);
	if (r == 0)
		r = arena_new(ARENA_BYTES, &replay.arena);
	status = r < 0 ? cli_fault(r, "verify") : replay_named(&replay, &options);
	if (status == 0 && options_has(&options, "rpc"))
		status = check_anchor(&replay, &options);
	arena_free(replay.arena);
	verifier_free(replay.verifier);
	hasher_free(replay.hasher);
	return status;
}
