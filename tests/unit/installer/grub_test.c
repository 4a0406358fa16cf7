/*
 * GRUB's menu: which slot it starts, and how it counts. GRUB's language is near enough to the shell's: all but the
 * entries runs as it is, but for `set` and `function`. menu_test.py runs the same by GRUB itself.
 */
#include "grub_config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define DAMAGED "The boot files of system "
#define NOTHING "Nothing was started. Start the boot medium and renew the system. A key leads back to the menu.|"

static const struct row {
    const char *order, *a_ok, *a_try, *b_ok, *b_try;
    const char *damaged; /* slots */
    const char *does;    /* its lines, each with | at its end; "save" is the counters of A and B */
} rows[] = {
    /* a new disk, started again and again without anybody saying that it is good */
    {"A B", "1", "0", "0", "0", "", "save 1 0|run A|"},
    {"A B", "1", "1", "0", "0", "", "save 2 0|run A|"},
    {"A B", "1", "2", "0", "0", "", "save 3 0|run A|"},
    {"A B", "1", "3", "0", "0", "", "save 3 0|run A|"},
    /* an update in B that does not come up: three times, and then A, which says so */
    {"B A", "1", "0", "1", "0", "", "save 0 1|run B|"},
    {"B A", "1", "0", "1", "2", "", "save 0 3|run B|"},
    {"B A", "1", "0", "1", "3", "",
     "System B did not come to the switcher: system A starts.|save 1 3|run A roundhouse.fallback=B|"},
    /* both have had their tries */
    {"B A", "1", "3", "1", "3", "", "save 3 3|run B|"},
    /* a slot that is being written is never started */
    {"A B", "1", "3", "0", "0", "", "save 3 0|run A|"},
    {"B A", "1", "0", "0", "0", "",
     "System B did not come to the switcher: system A starts.|save 1 0|run A roundhouse.fallback=B|"},
    /* damaged boot files: the other one at once, if there is one */
    {"A B", "1", "0", "1", "0", "A",
     "save 1 0|" DAMAGED "A are damaged.|System B starts.|save 1 1|run B roundhouse.fallback=A|"},
    {"A B", "1", "0", "0", "0", "A", "save 1 0|" DAMAGED "A are damaged.|" NOTHING},
    {"A B", "1", "0", "1", "0", "AB",
     "save 1 0|" DAMAGED "A are damaged.|System B starts.|save 1 1|" DAMAGED "B are damaged.|" NOTHING},
    /* counters that nobody has written, or that are damaged */
    {"", "", "", "", "", "", "save 3|run A|"},
    {"", "", "", "", "", "-A", "save  3|run B|"},
    {"C", "1", "0", "1", "0", "", "save 1 0|run A|"},
    {"A B", "1", "7", "1", "0", "", "save 3 0|run A|"},
};

/* Lays out what GRUB finds: a slot whose files are damaged loads nothing. */
static void lay_out(const char *folder, const char *damaged)
{
    for (char slot = 'A'; slot <= 'B'; slot++) {
        gboolean bad = strchr(damaged, slot) != NULL, missing = bad && *damaged == '-';
        g_autofree char *place = g_strdup_printf("%s/%c", folder, g_ascii_tolower(slot)),
                        *path = g_build_filename(place, "start.cfg", NULL),
                        *text = g_strdup_printf("echo \"run %c $words\"; started=yes", slot);
        g_assert_no_errno(g_mkdir_with_parents(place, 0700));
        g_unlink(path);
        g_assert_true(missing || g_file_set_contents(path, bad ? "" : text, -1, NULL));
    }
}

static char *replaced(char *text, const char *what, const char *by)
{
    g_auto(GStrv) parts = g_strsplit(text, what, -1);
    g_free(text);
    return g_strjoinv(by, parts);
}

/* The menu up to its first entry, for the shell. */
static char *as_shell(const char *folder)
{
    g_autofree char *a = g_strconcat(folder, "/a", NULL), *b = g_strconcat(folder, "/b", NULL);
    char *menu = grub_menu(), *end = strstr(menu, "menuentry");
    g_assert_nonnull(end);
    *end = '\0';
    menu = replaced(replaced(menu, "/a", a), "/b", b);
    menu = replaced(replaced(menu, " set ", " "), "\nset ", "\n");
    menu = replaced(menu, " {\n", "() {\n");
    return replaced(replaced(menu, "function ", ""), "source ", ". ");
}

static void chooses(void)
{
    g_autofree char *folder = g_dir_make_tmp("roundhouse-grub-XXXXXX", NULL), *script = as_shell(folder);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        lay_out(folder, row->damaged);
        g_autofree char *all = g_strdup_printf(
            "serial() { false; }; insmod() { :; }; sleep() { :; }; save_env() { echo \"save $A_TRY $B_TRY\"; }\n"
            "load_env() { [ \"$*\" = 'ORDER A_OK A_TRY B_OK B_TRY' ] || exit 1\n"
            "    ORDER='%s' A_OK='%s' A_TRY='%s' B_OK='%s' B_TRY='%s'; }\n%s"
            "start_by_turn\n",
            row->order, row->a_ok, row->a_try, row->b_ok, row->b_try, script);
        g_autofree char *said = NULL;
        char *words[] = {"sh", "-c", all, NULL};
        g_assert_true(g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, NULL, NULL, NULL));
        said = replaced(replaced(said, " \n", "\n"), "\n", "|");
        g_assert_cmpstr(said, ==, row->does);
    }
    g_autofree char *remove = g_strdup_printf("rm -r %s", folder);
    g_assert_true(g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL));
}

static void check_script(const char *text)
{
    g_autofree char *path = g_strdup("/tmp/roundhouse-grub-XXXXXX");
    gint fd = g_mkstemp(path), status = -1;
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (gssize)strlen(text));
    char *words[] = {"grub-script-check", path, NULL};
    g_assert_true(g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    close(fd);
    unlink(path);
}

static const struct source tiny = {
    .hypervisor_options = "console=com1",
    .kernel_options = "console=hvc0 quiet",
    .files = {{NULL, 0, "0"}, {NULL, 0, "1"}, {NULL, 0, "2"}, {NULL, 0, "3"}, {NULL, 0, "4"}, {NULL, 0, "5"}},
};

static void is_grub_script(void)
{
    g_autofree char *menu = grub_menu(), *start = grub_start('A', &tiny, "slot-id", "state-id");
    check_script(menu);
    check_script(start);
}

static void starts(void)
{
    g_autofree char *text = grub_start('B', &tiny, "slot-id", "state-id"), *sums = grub_sums(&tiny);
    g_assert_cmpstr(text, ==,
                    "if hashsum --hash sha256 --check /b/sha256 --prefix /b; then\n"
                    "    multiboot2 /b/hypervisor console=com1\n"
                    "    module2 /b/kernel root=PARTUUID=slot-id ro boot=roundhouse roundhouse.slot=B "
                    "roundhouse.state=PARTUUID=state-id $words console=hvc0 quiet\n"
                    "    module2 /b/initrd\n"
                    "    set started=yes\n"
                    "fi\n");
    g_assert_cmpstr(sums, ==, "1  hypervisor\n2  kernel\n3  initrd\n");
}

static void environment(void)
{
    for (char first = 'A'; first <= 'B'; first++) {
        g_autofree char *block = grub_environment(first, TRUE);
        g_assert_cmpint(block[GRUB_ENVIRONMENT_SIZE - 1], ==, '#');
        g_assert_true(g_str_has_prefix(block, "# GRUB Environment Block\n"));
        g_assert_cmpint(grub_turn(block, GRUB_ENVIRONMENT_SIZE), ==, first);
        g_assert_nonnull(g_strstr_len(block, GRUB_ENVIRONMENT_SIZE, first == 'A' ? "\nB_OK=1\n" : "\nA_OK=1\n"));
    }
    g_autofree char *alone = grub_environment('A', FALSE);
    g_assert_nonnull(g_strstr_len(alone, GRUB_ENVIRONMENT_SIZE, "\nB_OK=0\n"));
}

static void turn(void)
{
    static const struct {
        const char *text;
        char turn;
    } counters[] = {
        {"ORDER=B A\nA_OK=1\nA_TRY=0\nB_OK=1\nB_TRY=2\n", 'B'},
        {"ORDER=B A\nA_OK=1\nA_TRY=0\nB_OK=1\nB_TRY=3\n", 'A'},
        {"ORDER=B A\nA_OK=1\nA_TRY=0\nB_OK=0\nB_TRY=0\n", 'A'},
        {"ORDER=B A\nA_OK=1\nA_TRY=3\nB_OK=1\nB_TRY=3\n", 'B'},
        {"ORDER=A B\nA_OK=1\nA_TRY=3\nB_OK=0\nB_TRY=0\n", 'A'},
        {"ORDER=C\n", 0},
        {"", 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(counters); i++)
        g_assert_cmpint(grub_turn(counters[i].text, strlen(counters[i].text)), ==, counters[i].turn);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grub/chooses", chooses);
    g_test_add_func("/grub/is-grub-script", is_grub_script);
    g_test_add_func("/grub/starts", starts);
    g_test_add_func("/grub/environment", environment);
    g_test_add_func("/grub/turn", turn);
    return g_test_run();
}
