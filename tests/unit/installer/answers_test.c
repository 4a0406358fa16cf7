/* Answers: each mistake with its line and what was meant, and nothing of them in answers that have none. */
#include "answers.h"
#include "passphrase.h"

#include <crypt.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static struct answer_places places;

/* Good answers, to which a row of mistakes adds or of which it replaces a line. */
static const char *const good[] = {
    "disk = /dev/sda", "use = whole-disk", "encrypt = no",      "keyboard = de",
    "time-zone = UTC", "person = anna",    "password = geheim",
};

/* The good answers; the one of the same name as `line` has its place taken, or the line is added. "-NAME": left out. */
static char *changed(const char *line)
{
    GString *text = g_string_new("# answers\n");
    gboolean taken = line == NULL;
    gsize name = line ? strcspn(line + (*line == '-'), " =") : 0;
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        if (line && strncmp(good[i], line + (*line == '-'), name) == 0 && good[i][name] == ' ') {
            taken = TRUE;
            if (*line != '-')
                g_string_append_printf(text, "%s\n", line);
        } else {
            g_string_append_printf(text, "%s\n", good[i]);
        }
    }
    if (!taken)
        g_string_append_printf(text, "%s\n", line);
    return g_string_free(text, FALSE);
}

static struct answers *load(const char *text, GPtrArray *mistakes)
{
    g_assert_true(g_file_set_contents("a", text, -1, NULL));
    struct answers *answers = answers_load("a", &places, mistakes);
    g_remove("a");
    return answers;
}

/* All mistakes, a line each. */
static char *mistakes_of(const char *text)
{
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    struct answers *answers = load(text, mistakes);
    g_assert_true((answers != NULL) == (mistakes->len == 0));
    answers_free(answers);
    g_ptr_array_add(mistakes, NULL);
    return g_strjoinv("\n", (char **)mistakes->pdata);
}

static const struct row {
    const char *line, *says;
} rows[] = {
    {"disk = sda", "a:2: disk is \"sda\", and has to be a path that begins with \"/\"."},
    {"-disk", "a: disk is not answered."},
    {"use = whole disk",
     "a:3: use is \"whole disk\", and can be whole-disk, free-space, renew. Was \"whole-disk\" meant?"},
    {"use = x", "a:3: use is \"x\", and can be whole-disk, free-space, renew."},
    {"use = free-space\nerase-guests = yes",
     "a:4: erase-guests is of no use with \"use = free-space\", which erases nothing."},
    {"-use", "a: use is not answered."},
    {"-encrypt", "a: encrypt is not answered."},
    {"encrypt = maybe", "a:4: encrypt is \"maybe\", and can be no, yes."},
    {"encrypt = yes", "a: passphrase is not answered, and \"encrypt = yes\" in line 4 needs it.\n"
                      "a: recovery-key-file is not answered, and \"encrypt = yes\" in line 4 needs it."},
    {"passphrase = Nashorn fliegt 77", "a:9: passphrase is of no use with \"encrypt = no\"."},
    {"discard = yes", "a:9: discard is of no use with \"encrypt = no\"."},
    {"recovery-key-file = /tmp/there-is-no-such-key", "a:9: recovery-key-file is of no use with \"encrypt = no\"."},
    {"encrypt = yes\npassphrase = Nashorn fliegt 77\nrecovery-key-file = /nowhere/key",
     "a:6: /nowhere cannot be written: No such file or directory."},
    {"keyboard = dee", "a:5: keyboard is \"dee\", which is none of the 2 layouts in base.lst. Was \"de\" meant?"},
    {"keyboard = basic", "a:5: keyboard is \"basic\", which is none of the 2 layouts in base.lst."},
    {"-keyboard", "a: keyboard is not answered."},
    {"time-zone = Berlin",
     "a:6: time-zone is \"Berlin\", which is no time zone; it is written as in \"Europe/Berlin\"."},
    {"time-zone = ../zones/UTC",
     "a:6: time-zone is \"../zones/UTC\", which is no time zone; it is written as in \"Europe/Berlin\"."},
    {"person = Anna", "a:7: person is \"Anna\", and has to be made of a to z, 0 to 9, \"-\" and \"_\", with a letter "
                      "first, 31 letters at most."},
    {"person = a:b", "a:7: person is \"a:b\", and has to be made of a to z, 0 to 9, \"-\" and \"_\", with a letter "
                     "first, 31 letters at most."},
    {"host-name = -x", "a:9: host-name is \"-x\", and has to be made of a to z, 0 to 9 and \"-\", 63 letters at most, "
                       "as in \"laptop-1\"."},
    {"language = german", "a:9: language is \"german\", and has to be as in \"en_GB.UTF-8\"."},
    {"-password", "a: password is not answered, and neither is password-hash."},
    {"password-hash = secret", "a:9: password-hash is \"secret\", and has to be what mkpasswd(1) or openssl-passwd(1) "
                               "gives, of yescrypt, scrypt, bcrypt or SHA-512.\n"
                               "a:9: password and password-hash are both answered; one is enough."},
    {"policy = strict", "a:9: policy is \"strict\", and there is no policies/strict.policy."},
    {"policy = ../policies/default",
     "a:9: policy is \"../policies/default\", and there is no policies/../policies/default.policy."},
    {"persn = anna", "a:9: there is no answer \"persn\". Was \"person\" meant?"},
    {"colour = blue", "a:9: there is no answer \"colour\". roundhouse-install(8) lists them."},
    {"what is this", "a:9: \"what is this\" is no answer: name = value."},
    {"policy =", "a:9: policy has no value. Leave the line out if there is none."},
    {"disk = /dev/sdb\ndisk = /dev/sdc", "a:3: disk was answered before, in line 2."},
    {"policy = \xff", "a:9: this line is not text in UTF-8."},
    {"use = renew", "a:4: encrypt is of no use with \"use = renew\": settings and guests stay as they are.\n"
                    "a:5: keyboard is of no use with \"use = renew\": settings and guests stay as they are.\n"
                    "a:6: time-zone is of no use with \"use = renew\": settings and guests stay as they are.\n"
                    "a:7: person is of no use with \"use = renew\": settings and guests stay as they are.\n"
                    "a:8: password is of no use with \"use = renew\": settings and guests stay as they are."},
};

static void each_mistake(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = changed(rows[i].line), *says = mistakes_of(text);
        g_assert_cmpstr(says, ==, rows[i].says);
    }
}

static void all_at_once(void)
{
    g_autofree char *says = mistakes_of("use = wholedisk\n\n  # remark\nnonsense\n");
    g_auto(GStrv) lines = g_strsplit(says, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 8);
    g_assert_true(g_str_has_prefix(lines[1], "a:4: \"nonsense\""));
}

static void good_ones(void)
{
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *text = changed("  policy=default  ");
    struct answers *answers = load(text, mistakes);
    g_assert_nonnull(answers);
    g_assert_cmpstr(answers->disk, ==, "/dev/sda");
    g_assert_cmpint(answers->use, ==, USE_WHOLE_DISK);
    g_assert_cmpstr(answers->keyboard, ==, "de");
    g_assert_cmpstr(answers->password, ==, "geheim");
    g_assert_cmpstr(answers->policy, ==, "default");
    g_assert_cmpstr(answers->host_name, ==, "roundhouse");
    g_assert_false(answers->encrypt || answers->discard || answers->erase_guests);
    answers_free(answers);
}

static void encrypted_ones(void)
{
    g_autofree char *key = g_build_filename(g_get_tmp_dir(), "there-is-no-such-key", NULL);
    g_autofree char *text = g_strdup_printf("disk = /dev/sda\nuse = free-space\nencrypt = yes\nkeyboard = us\n"
                                            "time-zone = UTC\nperson = anna\npassword = geheim\ndiscard = yes\n"
                                            "passphrase = Nashorn = fliegt 77\nrecovery-key-file = %s\n",
                                            key);
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    struct answers *answers = load(text, mistakes);
    g_assert_nonnull(answers);
    g_assert_true(answers->encrypt && answers->discard);
    g_assert_cmpstr(answers->passphrase, ==, "Nashorn = fliegt 77");
    answers_free(answers);

    g_assert_true(g_file_set_contents(key, "old", -1, NULL));
    g_autofree char *says = mistakes_of(text);
    g_assert_nonnull(strstr(says, "a:10: "));
    g_assert_nonnull(strstr(says, "is there already: the recovery key is written into a new file."));
    g_remove(key);
}

/* The person has seen the key on a page: it comes with the answers, and no file is needed. */
static void with_a_key(void)
{
    static const char *const text = "disk = /dev/sda\nuse = free-space\nencrypt = yes\nkeyboard = us\ntime-zone = UTC\n"
                                    "person = anna\npassword = geheim\npassphrase = Nashorn fliegt 77\nrecovery-key = ";
    g_autofree char *key = recovery_key_new(), *good = g_strconcat(text, key, "\n", NULL);
    g_autofree char *weak = g_strconcat(text, "cccccccc\n", NULL);
    g_autofree char *both = g_strconcat(good, "recovery-key-file = /tmp/there-is-no-such-key\n", NULL);
    g_autofree char *weak_says = mistakes_of(weak), *both_says = mistakes_of(both);
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    struct answers *answers = load(good, mistakes);
    g_assert_nonnull(answers);
    g_assert_cmpstr(answers->recovery_key, ==, key);
    answers_free(answers);
    g_assert_nonnull(strstr(weak_says, "a:9: recovery-key is none that the installer has made."));
    g_assert_null(strstr(weak_says, "cccc"));
    g_assert_nonnull(strstr(both_says, "a:10: recovery-key-file and recovery-key are both answered; one is enough."));
}

static void weak_passphrases(void)
{
    static const char *const weak[] = {"short", "aaaaaaaaaaaa", "abcdefghijkl"};
    for (guint i = 0; i < G_N_ELEMENTS(weak); i++) {
        g_autofree char *why = passphrase_weakness(weak[i]);
        g_assert_nonnull(why);
    }
    g_assert_null(passphrase_weakness("Nashorn fliegt 77"));
}

static void keys_differ(void)
{
    g_autofree char *one = recovery_key_new(), *other = recovery_key_new();
    g_assert_cmpuint(strlen(one), ==, 71);
    g_assert_cmpstr(one, !=, other);
    g_assert_true(g_regex_match_simple("^([cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}$", one, 0, 0));
}

static void hashes_verify(void)
{
    g_autofree char *hash = password_hash_new("geheim");
    g_assert_cmpstr(crypt("geheim", hash), ==, hash);
    g_assert_cmpstr(crypt("gehein", hash), !=, hash);
}

/* The examples that are beside the program have no mistake. */
static void examples(void)
{
    g_autoptr(GDir) folder = g_dir_open(g_getenv("EXAMPLES"), 0, NULL);
    guint count = 0;
    g_assert_nonnull(folder);
    for (const char *name; (name = g_dir_read_name(folder)); count++) {
        g_autofree char *path = g_build_filename(g_getenv("EXAMPLES"), name, NULL), *text = NULL;
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_autofree char *says = mistakes_of(text);
        g_assert_cmpstr(says, ==, "");
    }
    g_assert_cmpuint(count, ==, 3);
}

static void no_file(void)
{
    g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
    g_assert_null(answers_load("/there/is/none", &places, mistakes));
    g_assert_cmpuint(mistakes->len, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *folder = g_dir_make_tmp("roundhouse-answers-XXXXXX", NULL);
    g_assert_no_errno(chdir(folder));
    g_assert_no_errno(g_mkdir("zones", 0700) | g_mkdir("policies", 0700) | g_mkdir("zones/Europe", 0700));
    g_assert_true(g_file_set_contents("zones/UTC", "x", -1, NULL));
    g_assert_true(g_file_set_contents("zones/Europe/Berlin", "x", -1, NULL));
    g_assert_true(g_file_set_contents("policies/default.policy", "x", -1, NULL));
    g_assert_true(g_file_set_contents(
        "base.lst", "! model\n  pc105  PC\n\n! layout\n  us  English\n  de  German\n\n! variant\n  basic  x\n", -1,
        NULL));
    places = (struct answer_places){"base.lst", "zones", "policies"};
    g_test_add_func("/answers/each-mistake", each_mistake);
    g_test_add_func("/answers/all-at-once", all_at_once);
    g_test_add_func("/answers/good", good_ones);
    g_test_add_func("/answers/encrypted", encrypted_ones);
    g_test_add_func("/answers/weak-passphrases", weak_passphrases);
    g_test_add_func("/answers/recovery-keys", keys_differ);
    g_test_add_func("/answers/with-a-key", with_a_key);
    g_test_add_func("/answers/password-hashes", hashes_verify);
    g_test_add_func("/answers/examples", examples);
    g_test_add_func("/answers/no-file", no_file);
    int result = g_test_run();
    g_remove("zones/UTC");
    g_remove("zones/Europe/Berlin");
    g_rmdir("zones/Europe");
    g_remove("policies/default.policy");
    g_remove("base.lst");
    g_rmdir("zones");
    g_rmdir("policies");
    g_rmdir(folder);
    return result;
}
