/* The pages of the installation without a display: records of hostile disks, and what follows from answers. */
#include "../check.h"
#include "../test_list.h"
#include "install_model.h"

#include <string.h>

#define CHECK_STRING(wanted, is) CHECK(strcmp(wanted, is) == 0)

/* ---- records ---- */

static gboolean is_record(const char *line)
{
    struct record *record = record_parse(line, strlen(line));
    record_free(record);
    return record != NULL;
}

static void test_records(void)
{
    static const char *const good[] = {
        "{\"record\": \"end\", \"status\": 0, \"says\": \"\"}",
        "{\"record\": \"x\", \"a\": -5, \"b\": true, \"c\": false}",
        "{\"record\":\"x\"}",
    };
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "[]",
        "null",
        "{\"record\": \"x\"",
        "{\"record\": \"x\"}}",
        "{\"record\": \"x\"} ",
        "{\"record\": \"\"}",
        "{\"record\": 5}",
        "{\"a\": \"x\"}",
        "{\"record\": \"x\", }",
        "{\"record\": \"x\",}",
        "{\"record\": \"x\", \"a\": 1, \"a\": 2}",
        "{\"record\": \"x\", \"record\": \"y\"}",
        "{\"record\": \"x\", \"a\": 1234567890123456789}",
        "{\"record\": \"x\", \"a\": -}",
        "{\"record\": \"x\", \"a\": 1.5}",
        "{\"record\": \"x\", \"a\": {}}",
        "{\"record\": \"x\", \"a\": [1]}",
        "{\"record\": \"x\", \"a\": tru}",
        "{\"record\": \"x\", \"a\": \"\\u0000\"}",
        "{\"record\": \"x\", \"a\": \"\\ud800\"}",
        "{\"record\": \"x\", \"a\": \"\\u12\"}",
        "{\"record\": \"x\", \"a\": \"\\x\"}",
        "{\"record\": \"x\", \"a\": \"\n\"}",
        "{\"record\": \"x\", \"a\": \"\xff\"}",
        "{\"record\": \"x\", \"a\": \"\\",
        "{\"record\": \"x\" \"a\": 1}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        CHECK(is_record(good[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        if (is_record(bad[i]))
            g_printerr("taken: %s\n", bad[i]);
        CHECK(!is_record(bad[i]));
    }
    static const char text[] =
        "{\"record\": \"part\", \"name\": \"a\\\"}\\u000a\\u00e9\", \"size\": 12, \"encrypted\": true}";
    struct record *record = record_parse(text, strlen(text));
    CHECK_STRING("part", record_kind(record));
    CHECK_STRING("a\"}\n\303\251", record_text(record, "name"));
    CHECK_EQUAL(12, record_number(record, "size"));
    CHECK(record_truth(record, "encrypted"));
    CHECK_STRING("", record_text(record, "size"));
    CHECK_EQUAL(-1, record_number(record, "name"));
    CHECK(!record_truth(record, "size"));
    record_free(record);
    g_autofree char *cut = g_strndup(text, sizeof(text));
    for (gsize length = 0; length < strlen(text); length++)
        CHECK(!record_parse(cut, length));
    CHECK(!record_parse("{\"record\": \"x\"}\0", 16));
}

/* ---- the model ---- */

static char *weakness(const char *passphrase)
{
    return strlen(passphrase) < 5 ? g_strdup("it is short") : NULL;
}

static char *new_key(void)
{
    return g_strdup("cbdefghi-bbbbbbbb-tuvcbdef");
}

static char *hash(const char *password)
{
    return *password ? g_strdup("$y$hashed") : NULL;
}

static const struct install_secrets secrets = {weakness, new_key, hash};

static void take(struct install_model *model, const char *line, gint64 now)
{
    struct record *record = record_parse(line, strlen(line));
    CHECK(record);
    install_take(model, record, now);
    record_free(record);
}

/* Disk 0 holds another system, 1 Roundhouse, 2 is in use, 3 has an MBR. */
static struct install_model *model_with_disks(void)
{
    struct install_model *model = install_model_new(&secrets);
    take(model,
         "{\"record\": \"disk\", \"path\": \"/dev/sda\", \"table\": \"GPT\", \"free\": 1000, \"holds\": \"other\"}", 0);
    take(
        model,
        "{\"record\": \"disk\", \"path\": \"/dev/sdb\", \"table\": \"GPT\", \"free\": 1000, \"holds\": \"roundhouse\"}",
        0);
    take(model,
         "{\"record\": \"disk\", \"path\": \"/dev/sdc\", \"table\": \"GPT\", \"free\": 1000, \"refused\": \"mounted\"}",
         0);
    take(model,
         "{\"record\": \"disk\", \"path\": \"/dev/sdd\", \"table\": \"MBR\", \"free\": 1000, \"holds\": \"other\"}", 0);
    take(model, "{\"record\": \"disk\", \"path\": \"/dev/sde\\u000ause = renew\", \"holds\": \"other\"}", 0);
    install_ended(model, "disks");
    install_ended(model, "check");
    return model;
}

static void plan(struct install_model *model)
{
    install_begin(model, "plan");
    take(model, "{\"record\": \"part\", \"when\": \"after\", \"start\": 1, \"size\": 2, \"fate\": \"new\"}", 0);
    take(model, "{\"record\": \"end\", \"status\": 0, \"says\": \"\"}", 0);
    install_ended(model, "plan");
}

static void test_uses(void)
{
    static const gboolean wanted[4][INSTALL_USE_COUNT] = {
        {TRUE, TRUE, FALSE}, {TRUE, FALSE, TRUE}, {FALSE, FALSE, FALSE}, {TRUE, FALSE, FALSE}};
    struct install_model *model = model_with_disks();
    const char *why;
    CHECK_EQUAL(4, model->disks->len); /* the one with a line in its name is none */
    for (guint disk = 0; disk < 4; disk++)
        for (int use = 0; use < INSTALL_USE_COUNT; use++) {
            CHECK_EQUAL(wanted[disk][use], install_use_offered(g_ptr_array_index(model->disks, disk), use, &why));
            CHECK_EQUAL(wanted[disk][use], why == NULL);
        }
    install_model_free(model);
}

static void answer_all(struct install_model *model)
{
    install_set(model, FIELD_PASSPHRASE, "good one");
    install_set(model, FIELD_PASSPHRASE_AGAIN, "good one");
    install_set(model, FIELD_KEY_AGAIN, "TUVCBDEF");
    install_set(model, FIELD_PERSON, "anna");
    install_set(model, FIELD_PASSWORD, "geheim");
    install_set(model, FIELD_PASSWORD_AGAIN, "geheim");
}

static guint pages_to_summary(struct install_model *model)
{
    guint count = 0;
    while (install_next(model))
        count++;
    return count;
}

static void test_whole(void)
{
    struct install_model *model = model_with_disks();
    CHECK_EQUAL(2, pages_to_summary(model));
    CHECK_EQUAL(INSTALL_DISK, model->page);
    install_choose(model, 0, INSTALL_WHOLE);
    CHECK(!install_next(model)); /* no plan yet */
    plan(model);
    answer_all(model);
    CHECK_EQUAL(6, pages_to_summary(model));
    CHECK_EQUAL(INSTALL_SUMMARY, model->page);
    char *request = install_request(model), *planned = install_request_plan(model);
    CHECK_STRING("install\ndisk = /dev/sda\nuse = whole-disk\nencrypt = yes\npassphrase = good one\n"
                 "recovery-key = cbdefghi-bbbbbbbb-tuvcbdef\nkeyboard = us\ntime-zone = Etc/UTC\n"
                 "host-name = roundhouse\nperson = anna\npassword-hash = $y$hashed\npolicy = default\nend\n",
                 request);
    CHECK(!strstr(planned, "good one") && !strstr(planned, "anna") &&
          g_str_has_prefix(planned, "plan\ndisk = /dev/sda\n"));
    install_request_free(request);
    install_request_free(planned);
    while (install_back(model))
        ;
    CHECK_EQUAL(INSTALL_START, model->page);
    CHECK_STRING("good one", model->fields[FIELD_PASSPHRASE]);
    CHECK_EQUAL(8, pages_to_summary(model)); /* nothing is lost */
    install_model_free(model);
}

static void test_renew(void)
{
    struct install_model *model = model_with_disks();
    pages_to_summary(model);
    install_choose(model, 1, INSTALL_WHOLE);
    plan(model);
    CHECK(!install_next(model)); /* the guests */
    model->erase_guests = TRUE;
    CHECK(install_next(model));
    install_back(model);
    install_choose(model, 1, INSTALL_RENEW);
    CHECK(!model->erase_guests && !model->plan.whole); /* agreed to for another choice */
    plan(model);
    CHECK(install_next(model));
    CHECK_EQUAL(INSTALL_SUMMARY, model->page);
    char *request = install_request(model);
    CHECK_STRING("install\ndisk = /dev/sdb\nuse = renew\nend\n", request);
    install_request_free(request);
    install_model_free(model);
}

static void test_refusals(void)
{
    static const struct {
        enum install_page page;
        enum install_field field;
        const char *text;
    } rows[] = {
        {INSTALL_ENCRYPTION, FIELD_PASSPHRASE, "weak"},
        {INSTALL_ENCRYPTION, FIELD_PASSPHRASE_AGAIN, "good One"},
        {INSTALL_ENCRYPTION, FIELD_PASSPHRASE, " good one"},
        {INSTALL_ENCRYPTION, FIELD_PASSPHRASE, "good one\nencrypt = no"},
        {INSTALL_KEY, FIELD_KEY_AGAIN, "cbdefghi"},
        {INSTALL_KEY, FIELD_KEY_AGAIN, ""},
        {INSTALL_PERSON, FIELD_PERSON, "root\nx"},
        {INSTALL_PERSON, FIELD_PERSON, "Anna"},
        {INSTALL_PERSON, FIELD_HOST_NAME, "a b"},
        {INSTALL_PERSON, FIELD_TIME_ZONE, "UTC\nx = y"},
        {INSTALL_PERSON, FIELD_PASSWORD_AGAIN, "other"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct install_model *model = model_with_disks();
        model->key = new_key();
        answer_all(model);
        CHECK(!install_missing(model, rows[i].page));
        install_set(model, rows[i].field, rows[i].text);
        CHECK(install_missing(model, rows[i].page));
        install_model_free(model);
    }
}

static void test_outcomes(void)
{
    struct install_model *model = model_with_disks();
    install_begin(model, "install");
    take(model, "{\"record\": \"progress\", \"title\": \"Copy\", \"number\": 2, \"count\": 4, \"permille\": 0}", 0);
    CHECK_EQUAL(-1, install_seconds_left(model, G_TIME_SPAN_SECOND));
    take(model, "{\"record\": \"progress\", \"title\": \"Copy\", \"number\": 2, \"count\": 4, \"permille\": 250}", 9);
    CHECK_EQUAL(30, install_seconds_left(model, 10 * G_TIME_SPAN_SECOND));
    CHECK(!install_back(model)); /* what has begun is not asked about again */
    take(model, "{\"record\": \"end\", \"status\": 1, \"says\": \"The disk is full.\\u000aIt is as before.\"}", 0);
    install_ended(model, "install");
    CHECK_EQUAL(INSTALL_FAILED, model->state);
    CHECK_STRING("The disk is full.\nIt is as before.", model->said);
    install_begin(model, "install");
    install_ended(model, "install");
    CHECK_EQUAL(INSTALL_FAILED, model->state);
    CHECK(strstr(model->said, "without a word"));
    install_begin(model, "install");
    take(model, "{\"record\": \"end\", \"status\": 0, \"says\": \"Roundhouse is installed.\"}", 0);
    install_ended(model, "install");
    CHECK_EQUAL(INSTALL_DONE, model->state);
    install_model_free(model);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"records", test_records}, {"uses", test_uses},         {"whole", test_whole},
        {"renew", test_renew},     {"refusals", test_refusals}, {"outcomes", test_outcomes},
    };
    return run_tests(tests, G_N_ELEMENTS(tests), NULL);
}
