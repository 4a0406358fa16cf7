/* What a report tells and what it keeps to itself: the real text, with tools that are scripts of this test. */
#include "redact.h"
#include "report.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *folder;

static void put(const char *path, const char *text, int mode)
{
    g_autofree char *whole = g_build_filename(folder, path, NULL), *parent = g_path_get_dirname(whole);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
    g_assert_true(g_file_set_contents(whole, text, -1, NULL));
    g_assert_cmpint(g_chmod(whole, mode), ==, 0);
}

/* ---- words ---- */

static void left_out(void)
{
    static const struct {
        const char *text, *is;
    } rows[] = {
        {"passphrase: two words \nnext", "passphrase: (left out)\nnext"},
        {"wifi_psk=\"abc\"", "wifi_psk=(left out)"},
        {"Recovery key: abcd-efgh", "Recovery key: (left out)"},
        {"password is asked for", "password is asked for"},
        {"key left is held", "key left is held"},
        {"usb 1-1: SerialNumber: 4C530001", "usb 1-1: SerialNumber: (left out)"},
        {"UUID=0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", "UUID=(uuid)"},
        {"vif 00:16:3e:aa:BB:cc is up", "vif (mac) is up"},
        {"from 192.168.1.17 to 10.0.0.1:80", "from (address) to (address):80"},
        {"inet6 fe80::1:2ff:fe03:4 and ::1", "inet6 (address) and (address)"},
        {"2001:db8:1:2:3:4:5:6 it is", "(address) it is"},
        {"pci 0000:00:1f.2: at 13:01:59, Linux 6.1.0-18", "pci 0000:00:1f.2: at 13:01:59, Linux 6.1.0-18"},
        {"[mem 0x00000000-0x0009ffff] GUEST::work", "[mem 0x00000000-0x0009ffff] GUEST::guest-1"},
        {"work, workqueue, my-work and network", "guest-1, workqueue, guest-2 and network"},
        {"Anna Nováková (anna) on tower", "person-1 (person-2) on machine-1"},
        {"a\tb\r\x1b[2J\x01\xff.\n", "a\tb\\x1b[2J\\x01\xef\xbf\xbd.\n"},
    };
    struct redaction *redaction = redaction_new();
    redaction_name(redaction, "guest", "work");
    redaction_name(redaction, "guest", "my-work");
    redaction_name(redaction, "guest", "work");
    redaction_name(redaction, "person", "Anna Nováková");
    redaction_name(redaction, "person", "anna");
    redaction_name(redaction, "person", "");
    redaction_name(redaction, "machine", "tower");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *said = redact(redaction, rows[i].text);
        g_assert_cmpstr(said, ==, rows[i].is);
    }
    redaction_free(redaction);
}

static void long_lines(void)
{
    struct redaction *redaction = redaction_new();
    g_autofree char *text = g_strnfill(100 * REDACT_LINE_MAX, 'x'), *said = NULL;
    memcpy(text + 50 * REDACT_LINE_MAX, "\nnext\n", 6);
    said = redact(redaction, text);
    g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
    g_assert_cmpuint(strlen(lines[0]), <=, REDACT_LINE_MAX + 4);
    g_assert_true(g_str_has_suffix(lines[0], "x ..."));
    g_assert_cmpstr(lines[1], ==, "next");
    redaction_free(redaction);
}

/* ---- the whole ---- */

static char *part(const char *text, const char *title)
{
    g_autofree char *head = g_strdup_printf("== %s ==\n", title);
    const char *at = strstr(text, head), *end = at ? strstr(at, "\n\n") : NULL;
    g_assert_nonnull(end);
    return g_strndup(at + strlen(head), (gsize)(end - at) - strlen(head));
}

#define PART(text, title, is)                                                                                          \
    do {                                                                                                               \
        g_autofree char *said = part(text, title);                                                                     \
        g_assert_cmpstr(said, ==, is);                                                                                 \
    } while (0)

static void whole(void)
{
    g_autofree char *text = report_make(folder);
    PART(text, "Hypervisor", "xen_caps : hvm-3.0-x86_64");
    PART(text, "Guests", "1 guest-1 running\n(roundhousectl did not do it)");
    PART(text, "What the hypervisor said", "(XEN) d1 has guest-1 and image-1\\x1b[2J of person-1 on machine-1");
    PART(text, "Devices", "(nothing)");
    g_autofree char *failed = part(text, "Services that failed");
    g_assert_nonnull(strstr(failed, "did not do it"));
    g_assert_null(strstr(text, "acme"));
    g_autofree char *journal = part(text, "What kernel and services said since the start");
    g_assert_cmpuint(strlen(journal), <, 1500000);
    g_assert_true(g_str_has_suffix(journal, "the last line"));
    g_assert_true(g_str_has_prefix(journal, "(what came before this is left out)\n"));
}

static int run_program(char **said, const char *first, ...) G_GNUC_NULL_TERMINATED;

static int run_program(char **said, const char *first, ...)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autofree char *shown = NULL, *complained = NULL;
    va_list arguments;
    int status;
    g_ptr_array_add(words, (gpointer)g_getenv("REPORT"));
    g_ptr_array_add(words, "--root");
    g_ptr_array_add(words, folder);
    va_start(arguments, first);
    for (const char *word = first; word; word = va_arg(arguments, const char *))
        g_ptr_array_add(words, (gpointer)word);
    va_end(arguments);
    g_ptr_array_add(words, NULL);
    g_assert_true(g_spawn_sync(NULL, (char **)words->pdata, NULL, 0, NULL, NULL, &shown, &complained, &status, NULL));
    if (said)
        *said = g_steal_pointer(&shown);
    return WEXITSTATUS(status);
}

static void saved(void)
{
    g_autofree char *path = g_build_filename(folder, "out", "report", NULL), *shown = NULL, *text = NULL;
    GStatBuf about;
    g_assert_cmpint(run_program(NULL, "--save", path, NULL), ==, 2); /* there is nobody to be asked */
    g_assert_cmpint(run_program(NULL, "--yes", NULL), ==, 2);
    g_assert_cmpint(run_program(NULL, "file", NULL), ==, 2);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_cmpint(run_program(&shown, "--save", path, "--yes", NULL), ==, 0);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(g_str_has_prefix(shown, text));
    g_assert_cmpint(g_stat(path, &about), ==, 0);
    g_assert_cmpint(about.st_mode & 0777, ==, 0600);
    g_assert_cmpint(run_program(NULL, "--save", "/proc/report", "--yes", NULL), ==, 1);
}

static void put_tools(void)
{
    put("bin/xl", "#!/bin/sh\ncase $1 in info) echo 'xen_caps : hvm-3.0-x86_64' ;; "
                  "*) printf '(XEN) d1 has acme and acme-disk\\033[2J of ann on tower\\n' ;; esac\n", 0755);
    put("bin/roundhousectl", "#!/bin/sh\n[ $1 != list ] || { echo 1 acme running; exit 3; }\necho fine\n", 0755);
    put("bin/roundhouse-install", "#!/bin/sh\necho '[works] memory'\n", 0755);
    put("bin/lspci", "#!/bin/sh\n", 0755);
    put("bin/systemctl", "#!/bin/sh\nkill -9 $$\n", 0755);
    put("bin/journalctl", "#!/bin/sh\nyes 'a line of acme' | head -c 2000000\nprintf '\\nthe last line'\n", 0755);
    put("etc/roundhouse/guests/acme.conf", "[guest]\n", 0644);
    put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:,,,:/home/ann:/bin/sh\n", 0644);
    put("etc/hostname", "tower\n", 0644);
    put("var/lib/roundhouse/images/acme-disk/disk.img", "", 0644);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("report-test-XXXXXX", NULL);
    put_tools();
    g_autofree char *path = g_strdup_printf("%s/bin:%s", folder, g_getenv("PATH"));
    g_setenv("PATH", path, TRUE);
    g_test_add_func("/left out", left_out);
    g_test_add_func("/long lines", long_lines);
    g_test_add_func("/whole", whole);
    g_test_add_func("/saved", saved);
    int status = g_test_run();
    g_autofree char *command = g_strdup_printf("rm -r '%s'", folder);
    return system(command) ? 1 : status;
}
