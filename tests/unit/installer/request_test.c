/* What may be asked for over the socket, and records against bytes that disks have. The program itself answers. */
#include "json.h"
#include "passphrase.h"
#include "request.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char asked_answers[] = "disk = /dev/there-is-none\nuse = whole-disk\nencrypt = no\nkeyboard = us\n"
                                    "time-zone = UTC\nperson = anna\npassword = geheim\n";

/* What a request of these bytes is: "KIND answers", or the error. `more`: the other end stays. */
static char *read_as(const char *bytes, gsize length, gboolean more)
{
    int ends[2];
    enum request_kind kind;
    char *answers = NULL, *said;
    GError *error = NULL;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    g_assert_cmpint(write(ends[1], bytes, length), ==, length);
    if (!more)
        close(ends[1]);
    said = request_read(ends[0], &kind, &answers, &error) ? g_strdup_printf("%d %s", kind, answers)
                                                          : g_strdup(error->message);
    g_clear_error(&error);
    secret_free(answers);
    if (more)
        close(ends[1]);
    close(ends[0]);
    return said;
}

static void requests(void)
{
    static const char cut[] = "The request did not come whole. Nothing was done.",
                      none[] = "That is no request. Nothing was done.";
    static const struct {
        const char *bytes, *is;
    } rows[] = {
        {"check\nend\n", "0 "},
        {"disks\nend\n", "1 "},
        {"plan\na = b\nend\n", "2 a = b\n"},
        {"install\na = b\n\nc = d\nend\n", "3 a = b\n\nc = d\n"},
        {"install\na = b\n", cut},
        {"install\na = b\nend", cut},
        {"install\na = bend\n", cut},
        {"", cut},
        {"end\n", cut},
        {"\nend\n", none},
        {"renew\nend\n", none},
        {"install --force\nend\n", none},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *said = read_as(rows[i].bytes, strlen(rows[i].bytes), FALSE);
        g_assert_cmpstr(said, ==, rows[i].is);
    }
    g_autofree char *zero = read_as("install\na = \0b\nend\n", 18, FALSE), *open = read_as("check\nend\n", 10, TRUE);
    g_assert_cmpstr(zero, ==, cut);
    g_assert_cmpstr(open, ==, "0 ");
    g_autofree char *long_one = g_strnfill(REQUEST_MAX + 100, 'a'), *refused = NULL;
    memcpy(long_one + REQUEST_MAX + 95, "\nend\n", 5);
    refused = read_as(long_one, REQUEST_MAX + 100, FALSE);
    g_assert_cmpstr(refused, ==, cut);
}

static void stops(void)
{
    int ends[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    g_assert_false(request_stopped(ends[0]));
    g_assert_cmpint(write(ends[1], "stop\n", 5), ==, 5);
    g_assert_true(request_stopped(ends[0]));
    close(ends[0]);
    close(ends[1]);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    close(ends[1]);
    g_assert_true(request_stopped(ends[0]));
    close(ends[0]);
}

static void allowed(void)
{
    static const char *const disks[] = {"/dev/sda", "/dev/nvme0n1", NULL};
    struct answers listed = {.disk = (char *)"/dev/sda"}, part = {.disk = (char *)"/dev/sda1"};
    struct answers file = {.disk = (char *)"/etc/shadow"};
    struct answers names = {.disk = (char *)"/dev/sda", .recovery_key_file = (char *)"/etc/cron.d/x"};
    g_assert_true(request_allows(&listed, disks, NULL));
    g_assert_false(request_allows(&part, disks, NULL));
    g_assert_false(request_allows(&file, disks, NULL));
    g_assert_false(request_allows(&names, disks, NULL));
}

static void records(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    json_begin(text, "part");
    json_text(text, "name", "a\"\\\n\x01\x7f\xff}");
    json_number(text, "size", G_MAXINT64);
    json_truth(text, "encrypted", TRUE);
    json_end(text);
    g_assert_cmpstr(text->str, ==,
                    "{\"record\": \"part\", \"name\": \"a\\\"\\\\\\u000a\\u0001\\u007f\xef\xbf\xbd}\", \"size\": "
                    "9223372036854775807, \"encrypted\": true}\n");
}

/* ---- the program ---- */

static char *serve(const char *request, const char *refuse_if)
{
    g_autofree char *command =
        g_strdup_printf("printf '%%s' \"$REQUEST\" | \"$PROGRAM\" --serve --system \"$PROGRAM\" --boot / --policies "
                        "\"$POLICIES\" --refuse-if %s 2>&1",
                        refuse_if);
    const char *const words[] = {"sh", "-c", command, NULL};
    char *said = NULL;
    g_setenv("REQUEST", request, TRUE);
    g_assert_true(g_spawn_sync(NULL, (char **)words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, NULL, NULL, NULL));
    return said;
}

static void expect_served(const char *kind, const char *answers, const char *refuse_if, const char *says)
{
    g_autofree char *request = g_strdup_printf("%s\n%send\n", kind, answers), *said = serve(request, refuse_if);
    if (!g_str_has_prefix(said, "{\"record\": \"") || !strstr(said, says))
        g_test_message("%s", said);
    g_assert_true(g_str_has_prefix(said, "{\"record\": \""));
    g_assert_nonnull(strstr(said, says));
}

static void serves(void)
{
    expect_served("check", "", "/none", "{\"record\": \"end\", \"status\": 0, \"says\": \"\"}");
    expect_served("disks", "", "/none", "{\"record\": \"end\", \"status\": 0");
    expect_served("erase", "", "/none", "{\"record\": \"end\", \"status\": 2, \"says\": \"That is no request.");
    expect_served("install", "disk = sda\n", "/none", "{\"record\": \"mistake\", \"says\": \"answers:1: disk is ");
    expect_served("install", "disk = sda\n", "/none", "{\"record\": \"end\", \"status\": 2");
    if (g_file_test("/usr/share/X11/xkb/rules/base.lst", G_FILE_TEST_EXISTS) &&
        g_file_test("/usr/share/zoneinfo/UTC", G_FILE_TEST_EXISTS)) {
        expect_served("install", asked_answers, "/none", "\"status\": 1, \"says\": \"/dev/there-is-none is no disk");
        expect_served("install", asked_answers, "/", "\"status\": 1, \"says\": \"A guest has run since");
        expect_served("plan", asked_answers, "/", "\"status\": 1, \"says\": \"/dev/there-is-none is no disk");
        expect_served("plan", asked_answers, "/none", "\"status\": 1, \"says\": \"/dev/there-is-none is no disk");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/request/read", requests);
    g_test_add_func("/request/stop", stops);
    g_test_add_func("/request/allowed", allowed);
    g_test_add_func("/request/records", records);
    g_test_add_func("/request/program", serves);
    return g_test_run();
}
