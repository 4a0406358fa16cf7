/* What is typed into a guest's settings: nothing of it is lost, what is wrong is told, and no more than changes is
 * asked for. */
#include "../check.h"
#include "../test_list.h"
#include "settings_form.h"

#include <string.h>

static GVariant *told(const char *text)
{
    return g_variant_ref_sink(g_variant_new_parsed(text));
}

static const char *const pc = "{'name': <'work'>, 'slot': <uint32 1>, 'type': <'hvm'>, 'memory_mib': <uint32 512>, "
                              "'cdrom': <'empty'>, 'clock': <'utc'>, 'boot': <'cdn'>, 'firmware': <'bios'>, "
                              "'viridian': <false>, 'colour': <'#4c9be8'>, 'later': <'unknown'>}";

static struct settings_form *form_of(const char *text)
{
    struct settings_form *form = settings_form_new();
    g_autoptr(GVariant) settings = told(text);
    settings_form_take(form, settings);
    return form;
}

static guint row(struct settings_form *form, const char *key)
{
    guint found = settings_form_find(form, key);
    CHECK(found < settings_form_count(form), "%s", key);
    return found;
}

static void type(struct settings_form *form, const char *key, const char *text)
{
    settings_form_set(form, row(form, key), text);
}

static void expect_text(struct settings_form *form, const char *key, const char *text)
{
    CHECK(g_str_equal(settings_form_text(form, row(form, key)), text), "%s is \"%s\"", key,
          settings_form_text(form, row(form, key)));
}

static void expect_problem(struct settings_form *form, const char *key, const char *begin)
{
    g_autofree char *problem = settings_form_problem(form, row(form, key));
    if (begin)
        CHECK(problem && g_str_has_prefix(problem, begin), "%s: %s", key, problem ? problem : "(none)");
    else
        CHECK(!problem, "%s: %s", key, problem);
}

static void expect_changes(struct settings_form *form, const char *wanted)
{
    GVariant *floating = settings_form_changes(form);
    if (!floating || !wanted) {
        CHECK(!floating && !wanted, "%s", wanted);
        return;
    }
    g_autoptr(GVariant) changes = g_variant_ref_sink(floating);
    g_autofree char *text = g_variant_print(changes, FALSE);
    CHECK(g_str_equal(text, wanted), "%s", text);
}

static void test_table(void)
{
    struct settings_form *form = form_of(pc);
    for (guint i = 0; i < settings_form_count(form); i++) {
        const struct guest_setting *setting = settings_form_setting(form, i);
        CHECK(setting->title && setting->group && setting->about, "%s says nothing to people", setting->key);
    }
    expect_text(form, "slot", "1");
    expect_text(form, "viridian", "false");
    expect_text(form, "kernel", "");
    CHECK(!settings_form_edited(form));
    CHECK_EQUAL(settings_form_count(form), settings_form_find(form, "later"));
    CHECK_EQUAL(settings_form_count(form), settings_form_wrong(form));
    expect_changes(form, NULL);
    settings_form_free(form);
    settings_form_free(NULL);
}

static void test_changes(void)
{
    struct settings_form *form = form_of(pc);
    type(form, "memory_mib", "  1024 ");
    type(form, "viridian", "true");
    type(form, "cdrom", "");
    CHECK(settings_form_edited(form));
    expect_changes(form, "{'cdrom': <''>, 'viridian': <'true'>, 'memory_mib': <'1024'>}");
    CHECK(!settings_form_new_name(form));
    type(form, "memory_mib", "512");
    type(form, "viridian", "false");
    type(form, "cdrom", "empty");
    CHECK(!settings_form_edited(form));
    type(form, "name", "play");
    expect_changes(form, NULL);
    CHECK(g_str_equal(settings_form_new_name(form), "play"));
    settings_form_revert(form);
    CHECK(!settings_form_new_name(form));
    settings_form_free(form);
}

static void test_wrong(void)
{
    static const struct {
        const char *key, *text, *begin;
    } rows[] = {
        {"memory_mib", "12x", "\"12x\" is not a number from 32"},
        {"memory_mib", "31", "\"31\" is not a number from 32"},
        {"slot", "10", "\"10\" is not a number from 0 to 9"},
        {"slot", "-1", "\"-1\" is not"},
        {"name", "", "It needs a name"},
        {"name", "a b", "\"a b\" must begin"},
        {"colour", "blue", "\"blue\" is not a colour"},
        {"mac", "1", "\"1\" is not the address"},
        {"boot", "x", "\"x\" is not an order"},
        {"cdrom", "relative", "\"relative\" is neither"},
        {"disk", "image:..", "\"..\" cannot be"},
        {"kernel", "vmlinuz", "\"vmlinuz\" must be a whole path"},
        {"type", "vm", "\"vm\" is not one of pv, pvh, hvm"},
        {"viridian", "maybe", "\"maybe\" is neither"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct settings_form *form = form_of(pc);
        type(form, rows[i].key, rows[i].text);
        expect_problem(form, rows[i].key, rows[i].begin);
        CHECK_EQUAL(row(form, rows[i].key), settings_form_wrong(form), "%s", rows[i].key);
        settings_form_free(form);
    }
    struct settings_form *form = form_of(pc);
    type(form, "cmdline", "quiet: no error");
    type(form, "disk", "image:work; /dev/sdb,ro");
    type(form, "mac", "00:16:3e:01:02:03");
    CHECK_EQUAL(settings_form_count(form), settings_form_wrong(form));
    settings_form_free(form);
}

/* What a definition says that was never typed here is roundhoused's affair. */
static void test_not_typed(void)
{
    struct settings_form *form = form_of("{'name': <'work'>, 'type': <'pv'>, 'memory_mib': <uint32 1>}");
    CHECK_EQUAL(settings_form_count(form), settings_form_wrong(form));
    settings_form_free(form);
}

static void test_type(void)
{
    struct settings_form *form = form_of(pc);
    CHECK(settings_form_offers(form, row(form, "cdrom")));
    type(form, "boot", "x");
    type(form, "type", "pvh");
    CHECK(!settings_form_offers(form, row(form, "cdrom")));
    CHECK(settings_form_offers(form, row(form, "memory_mib")));
    expect_problem(form, "boot", NULL); /* it is not asked for any more */
    expect_changes(form,
                   "{'type': <'pvh'>, 'firmware': <''>, 'boot': <''>, 'cdrom': <''>, 'clock': <''>, 'viridian': <''>}");
    type(form, "type", "hvm");
    expect_problem(form, "boot", "\"x\" is not an order");
    settings_form_free(form);
}

static void test_refused(void)
{
    struct settings_form *form = form_of(pc);
    type(form, "slot", "3");
    CHECK_EQUAL(settings_form_count(form), settings_form_refuse(form, "The disk is full."));
    CHECK_EQUAL(settings_form_count(form), settings_form_refuse(form, "slots: no such word."));
    CHECK_EQUAL(row(form, "slot"), settings_form_refuse(form, "slot: it is play's; free are 2, or 0 for none."));
    expect_problem(form, "slot", "It is play's; free are 2, or 0 for none.");
    expect_text(form, "slot", "3");
    type(form, "slot", "3 "); /* the same once more */
    expect_problem(form, "slot", "It is play's");
    type(form, "slot", "2");
    expect_problem(form, "slot", NULL);
    settings_form_free(form);
}

/* Somebody else changes the guest, or roundhoused says it in other words, while this is typed. */
static void test_told_again(void)
{
    struct settings_form *form = form_of(pc);
    g_autoptr(GVariant) other =
        told("{'name': <'work'>, 'type': <'hvm'>, 'slot': <uint32 4>, 'memory_mib': <uint32 768>, "
             "'network': <'xenbr0'>}");
    type(form, "memory_mib", "1024");
    type(form, "network", "bridge");
    settings_form_take(form, other);
    expect_text(form, "slot", "4");
    expect_text(form, "memory_mib", "1024");
    expect_text(form, "network", "bridge");
    settings_form_saved(form);
    CHECK(!settings_form_edited(form));
    settings_form_take(form, other);
    expect_text(form, "memory_mib", "768");
    expect_text(form, "network", "xenbr0");
    type(form, "name", "play");
    settings_form_saved(form);
    CHECK(g_str_equal(settings_form_new_name(form), "play"));
    settings_form_renamed(form);
    CHECK(!settings_form_new_name(form));
    settings_form_free(form);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"the table says all to people", test_table},
        {"what has changed", test_changes},
        {"what is wrong", test_wrong},
        {"what was not typed", test_not_typed},
        {"another type", test_type},
        {"refused", test_refused},
        {"told again", test_told_again},
    };
    return run_tests(tests, G_N_ELEMENTS(tests), NULL);
}
