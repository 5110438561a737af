#include "cmd/password.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/file.h"

void password_wipe(struct password *password)
{
	explicit_bzero(password, sizeof(*password));
}

static int keep(const char *text, size_t len, struct password *ret_password)
{
	if (len > KEYSTORE_PASSWORD_MAX)
		return -EMSGSIZE;
	memcpy(ret_password->text, text, len);
	ret_password->text[len] = 0;
	return 0;
}

static int read_from_file(const char *path, struct password *ret_password)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	size_t len, line;
	char *text;
	int r;

	r = arena_new(2 * KEYSTORE_PASSWORD_MAX, &arena);
	if (r < 0)
		return r;
	r = file_read(path, KEYSTORE_PASSWORD_MAX + 2, arena, &text, &len);
	if (r < 0)
		return r == -EFBIG ? -EMSGSIZE : r;
	line = strcspn(text, "\r\n");
	if (line + strspn(text + line, "\r\n") != len)
		r = -EBADMSG;
	if (r == 0)
		r = keep(text, line, ret_password);
	explicit_bzero(text, len);
	return r;
}

enum key { KEY_INTERRUPT = 3, KEY_END = 4, KEY_BACKSPACE = 8, KEY_DELETE = 127 };

/* One line, key by key: the terminal sends no signals meanwhile, so that it is always put back. */
static int read_keys(int terminal, struct password *ret_password)
{
	size_t len = 0;
	char c;

	for (;;) {
		ssize_t n = read(terminal, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECANCELED;
		if (c == KEY_INTERRUPT)
			return -ECANCELED;
		if (c == '\n' || c == '\r' || c == KEY_END)
			break;
		if (c == KEY_BACKSPACE || c == KEY_DELETE)
			len -= len > 0;
		else if (len == KEYSTORE_PASSWORD_MAX)
			return -EMSGSIZE;
		else
			ret_password->text[len++] = c;
	}
	ret_password->text[len] = 0;
	return 0;
}

static int ask(int terminal, const char *prompt, struct password *ret_password)
{
	struct termios normal, quiet;
	int r;

	if (tcgetattr(terminal, &normal) < 0)
		return -errno;
	quiet = normal;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	dprintf(terminal, "%s", prompt);
	if (tcsetattr(terminal, TCSAFLUSH, &quiet) < 0)
		return -errno;
	r = read_keys(terminal, ret_password);
	if (tcsetattr(terminal, TCSAFLUSH, &normal) < 0 && r == 0)
		r = -errno;
	dprintf(terminal, "\n");
	return r;
}

/* /dev/tty, because standard input may carry a key. */
static int read_from_terminal(bool twice, struct password *ret_password)
{
	_cleanup_(password_wipe) struct password again = { 0 };
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int r;

	if (terminal < 0)
		return -ENOTTY;
	r = ask(terminal, twice ? "New password: " : "Password: ", ret_password);
	if (r == 0 && twice)
		r = ask(terminal, "The same again: ", &again);
	if (r == 0 && twice && strcmp(again.text, ret_password->text) != 0)
		r = -EKEYREJECTED;
	close(terminal);
	return r;
}

int password_read(const char *file, bool twice, struct password *ret_password)
{
	const char *variable = getenv("KAISAR_PASSWORD");

	if (file)
		return read_from_file(file, ret_password);
	if (variable)
		return keep(variable, strlen(variable), ret_password);
	return read_from_terminal(twice, ret_password);
}

void password_explain(const char *file, int fault)
{
	const char *what = strerror(-fault);

	if (fault == -ENOTTY)
		what = "there is no terminal to ask on: use --password-file or KAISAR_PASSWORD";
	else if (fault == -EMSGSIZE)
		what = "it is longer than 1024 bytes";
	else if (fault == -EBADMSG)
		what = "the file has more than one line";
	else if (fault == -ECANCELED)
		what = "interrupted";
	else if (fault == -EKEYREJECTED)
		what = "the two were not the same";
	fprintf(stderr, "kaisar: no password: %s%s%s\n", file ? file : "", file ? ": " : "", what);
}
