#include "modules/proof/phantom.h"

#include <pthread.h>

struct skewed {
	struct prover_device device;
	struct prover_device *inner;
	enum phantom_flaw flaw;
	uint32_t from; /* this round or epoch on */
};

struct phantom {
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	bool ended;
	uint8_t heard; /* set of k */
	struct nonces nonces[SESSION_NONCES + 1];
	/* Of the thread: */
	struct session session;
	struct hash digest;
	struct hasher *hasher;
	struct secp_key *key;
	struct phantom_mouth mouth;
	struct skewed device;
};

/* ---- a device that computes its last rounds or epochs from another seed ---- */

static struct prover_device *inner_of(struct prover_device *device)
{
	return ((struct skewed *)(void *)device)->inner;
}

static const struct skewed *skew_of(const struct prover_device *device)
{
	return (const struct skewed *)(const void *)device;
}

static struct prg_key skew_key(const struct prover_device *device, const struct prg_key *key,
			       uint32_t round)
{
	const struct skewed *skew = skew_of(device);
	struct prg_key other = *key;

	if (skew->flaw == PHANTOM_MATRIX && round >= skew->from)
		other.words[0] ^= 1;
	return other;
}

static void skew_close(struct prover_device *device)
{
	inner_of(device)->ops->close(inner_of(device));
}

static void skew_info(struct prover_device *device, struct prover_info *ret_info)
{
	inner_of(device)->ops->info(inner_of(device), ret_info);
}

static int skew_fill(struct prover_device *device, const struct prg_key *seed_d,
		     const struct session_work *work)
{
	return inner_of(device)->ops->fill(inner_of(device), seed_d, work);
}

static int skew_walk_start(struct prover_device *device, const struct prg_key *seed_w)
{
	return inner_of(device)->ops->walk_start(inner_of(device), seed_w);
}

static int skew_walk_epoch(struct prover_device *device, const uint32_t salt[static 8],
			   uint32_t epoch, struct hash *ret_root)
{
	const struct skewed *skew = skew_of(device);
	uint32_t other[8];

	memcpy(other, salt, sizeof(other));
	if (skew->flaw == PHANTOM_WALK && epoch >= skew->from)
		other[0] ^= 1;
	return inner_of(device)->ops->walk_epoch(inner_of(device), other, epoch, ret_root);
}

static int skew_open_walk(struct prover_device *device, uint32_t walk, uint32_t epoch,
			  struct walk_opening *ret_opening)
{
	return inner_of(device)->ops->open_walk(inner_of(device), walk, epoch, ret_opening);
}

static int skew_walk_end(struct prover_device *device)
{
	return inner_of(device)->ops->walk_end(inner_of(device));
}

static int skew_matrix_start(struct prover_device *device, const struct prg_key *seed_g,
			     const struct session_work *work)
{
	return inner_of(device)->ops->matrix_start(inner_of(device), seed_g, work);
}

static int skew_matrix_round(struct prover_device *device, const struct prg_key *seed_i,
			     uint32_t round, struct hash *ret_root)
{
	struct prg_key key = skew_key(device, seed_i, round);

	return inner_of(device)->ops->matrix_round(inner_of(device), &key, round, ret_root);
}

static int skew_open_tiles(struct prover_device *device, const struct prg_key *seed_i,
			   uint32_t round, const uint32_t *tiles, size_t n,
			   struct tile_opening *ret_openings)
{
	struct prg_key key = skew_key(device, seed_i, round);

	return inner_of(device)->ops->open_tiles(inner_of(device), &key, round, tiles, n,
						 ret_openings);
}

static const struct prover_ops skewed_ops = {
	.backend = "phantom",
	.close = skew_close,
	.info = skew_info,
	.fill = skew_fill,
	.walk_start = skew_walk_start,
	.walk_epoch = skew_walk_epoch,
	.open_walk = skew_open_walk,
	.walk_end = skew_walk_end,
	.matrix_start = skew_matrix_start,
	.matrix_round = skew_matrix_round,
	.open_tiles = skew_open_tiles,
};

/* ---- what it hears and says ---- */

void phantom_hear(struct phantom *phantom, enum message_kind kind, const void *bytes, size_t len)
{
	struct nonces_message message;

	if (kind != MESSAGE_NONCES || nonces_decode(bytes, len, &message) != 0 ||
	    message.k > SESSION_NONCES)
		return;
	pthread_mutex_lock(&phantom->mutex);
	phantom->nonces[message.k] = message.nonces;
	phantom->heard |= (uint8_t)(1u << message.k);
	pthread_cond_broadcast(&phantom->changed);
	pthread_mutex_unlock(&phantom->mutex);
}

static int wait_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	struct phantom *phantom = arg;
	int r = -ECANCELED;

	pthread_mutex_lock(&phantom->mutex);
	while (!phantom->ended && !(phantom->heard >> k & 1))
		pthread_cond_wait(&phantom->changed, &phantom->mutex);
	if (!phantom->ended) {
		*ret_nonces = phantom->nonces[k];
		r = 0;
	}
	pthread_mutex_unlock(&phantom->mutex);
	return r;
}

static bool is_over(struct phantom *phantom)
{
	bool over;

	pthread_mutex_lock(&phantom->mutex);
	over = phantom->ended;
	pthread_mutex_unlock(&phantom->mutex);
	return over;
}

static const char *tag_of(enum message_kind kind)
{
	return kind == MESSAGE_FILLED ? TAG_FILLED
	       : kind == MESSAGE_SEAL ? TAG_SEAL
	       : kind == MESSAGE_OPEN ? TAG_OPEN
				      : NULL;
}

static int say(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	struct phantom *phantom = arg;
	_cleanup_(freep) uint8_t *copy = NULL;
	const char *tag = tag_of(kind);
	int r = 0;

	if (is_over(phantom))
		return -ECANCELED;
	copy = malloc(len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, len);
	if (tag)
		r = message_sign(phantom->hasher, tag, &phantom->digest, phantom->key, copy, len);
	if (r == 0)
		phantom->mouth.say(phantom->mouth.arg, kind, copy, len);
	return r;
}

/* ---- life ---- */

static void *run(void *arg)
{
	struct phantom *phantom = arg;
	const struct prover_exchange exchange = { wait_nonces, say, phantom };
	const char *detail;
	int r = prover_cpu_open(1, &phantom->device.inner, &detail);

	if (r == 0) {
		r = prove(&phantom->session, &phantom->device.device, &exchange);
		phantom->device.device.ops->close(&phantom->device.device);
	}
	if (r != 0 && !is_over(phantom))
		phantom->mouth.say(phantom->mouth.arg, MESSAGE_SESSION, NULL, 0);
	return NULL;
}

static void destroy(struct phantom *phantom)
{
	pthread_cond_destroy(&phantom->changed);
	pthread_mutex_destroy(&phantom->mutex);
	hasher_free(phantom->hasher);
	free(phantom);
}

int phantom_new(const struct session *session, struct secp_key *key, enum phantom_flaw flaw,
		const struct phantom_mouth *mouth, struct phantom **ret_phantom)
{
	struct phantom *phantom = calloc(1, sizeof(*phantom));
	uint32_t n;
	int r;

	if (!phantom)
		return -ENOMEM;
	pthread_mutex_init(&phantom->mutex, NULL);
	pthread_cond_init(&phantom->changed, NULL);
	phantom->session = *session;
	phantom->key = key;
	phantom->mouth = *mouth;
	phantom->device.device.ops = &skewed_ops;
	phantom->device.flaw = flaw;
	n = flaw == PHANTOM_WALK ? session->work.epochs : session->work.rounds;
	phantom->device.from = n - (n + 2) / 3;
	r = hasher_new(&phantom->hasher);
	if (r == 0) {
		session_digest(phantom->hasher, session, &phantom->digest);
		r = -pthread_create(&phantom->thread, NULL, run, phantom);
	}
	if (r != 0) {
		destroy(phantom);
		return r;
	}
	*ret_phantom = phantom;
	return 0;
}

void phantom_free(struct phantom *phantom)
{
	if (!phantom)
		return;
	pthread_mutex_lock(&phantom->mutex);
	phantom->ended = true;
	pthread_cond_broadcast(&phantom->changed);
	pthread_mutex_unlock(&phantom->mutex);
	pthread_join(phantom->thread, NULL);
	secp_key_free(phantom->key);
	destroy(phantom);
}
