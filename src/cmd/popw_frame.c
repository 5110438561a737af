#include "cmd/popw_frame.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

/* Until @fd is ready for @events. 0, -ETIMEDOUT. */
static int wait_until(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poller = { .fd = fd, .events = events };

	while (true) {
		int64_t left = deadline_ms - clock_mono_ms(&clock_system);
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&poller, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			return 0;
	}
}

static int read_all(int fd, uint8_t *bytes, size_t len, int64_t deadline_ms)
{
	while (len > 0) {
		ssize_t n;
		int r;

		r = wait_until(fd, POLLIN, deadline_ms);
		if (r < 0)
			return r;
		n = read(fd, bytes, len);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* A pipe takes at least PIPE_BUF once it is writable, so that no write waits longer than it may. */
static int write_all(int fd, const uint8_t *bytes, size_t len, int64_t deadline_ms)
{
	while (len > 0) {
		ssize_t n;
		int r;

		r = wait_until(fd, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
		n = write(fd, bytes, size_min(len, PIPE_BUF));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int frame_read(int fd, int timeout_ms, struct frame *ret_frame)
{
	int64_t deadline_ms = clock_mono_ms(&clock_system) + timeout_ms;
	uint8_t head[PROVER_FRAME_HEAD];
	uint32_t len;
	int r;

	r = read_all(fd, head, sizeof(head), deadline_ms);
	if (r < 0)
		return r;
	len = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
	if (len > PROVER_FRAME_MAX)
		return -EBADMSG;
	r = read_all(fd, ret_frame->bytes, len, deadline_ms);
	if (r < 0)
		return r;
	ret_frame->kind = head[4];
	ret_frame->len = len;
	return 0;
}

int frame_write(int fd, int timeout_ms, enum message_kind kind, const void *bytes, size_t len)
{
	int64_t deadline_ms = clock_mono_ms(&clock_system) + timeout_ms;
	uint8_t head[PROVER_FRAME_HEAD] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
					    (uint8_t)(len >> 24), (uint8_t)kind };
	int r;

	r = write_all(fd, head, sizeof(head), deadline_ms);
	return r < 0 ? r : write_all(fd, bytes, len, deadline_ms);
}

bool frame_closed(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLRDHUP };

	return poll(&poller, 1, 0) > 0 && poller.revents & (POLLHUP | POLLRDHUP | POLLERR);
}
