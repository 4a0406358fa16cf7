/* The pages' answers, and what follows from them. */
#include "install_model.h"

#include <string.h>

/* What a plan does not depend on, and the installer wants to be answered. */
#define PLAN_REST                                                                                                      \
    "keyboard = us\ntime-zone = Etc/UTC\nperson = person\npassword-hash = $6$plan$nothingisencryptedbythis\n"
#define PLAN_ENCRYPTED                                                                                                 \
    "passphrase = Nashorn fliegt 77\nrecovery-key = "                                                                  \
    "cccccccc-cccccccc-cccccccc-cccccccc-cccccccc-cccccccc-cccccccc-cccccccc\n"
#define KEY_GROUP    8 /* letters that are typed again */
#define SURE_AFTER   3 /* seconds of a stage before its pace says something */
#define FINDINGS_MAX 64
#define PARTS_MAX    256

static const char *const use_words[] = {"whole-disk", "free-space", "renew"};

/* ---- life ---- */

static void forget(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    g_clear_pointer(text, g_free);
}

static void finding_free(gpointer data)
{
    struct install_finding *finding = data;
    g_free(finding->name);
    g_free(finding->verdict);
    g_free(finding->says);
    g_free(finding);
}

static void disk_free(gpointer data)
{
    struct install_disk *disk = data;
    g_free(disk->path);
    g_free(disk->model);
    g_free(disk->table);
    g_free(disk->holds);
    g_free(disk->parts);
    g_free(disk->refused);
    g_free(disk);
}

static void part_free(gpointer data)
{
    struct install_part *part = data;
    g_free(part->fate);
    g_free(part->name);
    g_free(part->what);
    g_free(part);
}

static void forget_plan(struct install_model *model)
{
    g_ptr_array_set_size(model->plan.parts, 0);
    g_clear_pointer(&model->plan.refused, g_free);
    model->plan.whole = FALSE;
}

struct install_model *install_model_new(const struct install_secrets *secrets)
{
    static const char *const first[FIELD_COUNT] = {
        [FIELD_KEYBOARD] = "us",
        [FIELD_HOST_NAME] = "roundhouse",
        [FIELD_TIME_ZONE] = "Etc/UTC",
        [FIELD_POLICY] = "default",
    };
    struct install_model *model = g_new0(struct install_model, 1);
    *model = (struct install_model){.secrets = secrets, .disk = -1, .use = -1, .encrypt = TRUE};
    for (int i = 0; i < FIELD_COUNT; i++)
        model->fields[i] = g_strdup(first[i] ? first[i] : "");
    model->plan.parts = g_ptr_array_new_with_free_func(part_free);
    model->title = g_strdup("");
    return model;
}

void install_model_free(struct install_model *model)
{
    if (!model)
        return;
    for (int i = 0; i < FIELD_COUNT; i++)
        forget(&model->fields[i]);
    forget(&model->key);
    forget_plan(model);
    g_ptr_array_unref(model->plan.parts);
    g_clear_pointer(&model->findings, g_ptr_array_unref);
    g_clear_pointer(&model->disks, g_ptr_array_unref);
    g_free(model->said);
    g_free(model->title);
    g_free(model);
}

/* ---- choices ---- */

void install_set(struct install_model *model, enum install_field field, const char *text)
{
    char *now = g_strdup(text);
    forget(&model->fields[field]);
    model->fields[field] = now;
}

const struct install_disk *install_disk(const struct install_model *model)
{
    gboolean chosen = model->disks && model->disk >= 0 && (guint)model->disk < model->disks->len;
    return chosen ? g_ptr_array_index(model->disks, (guint)model->disk) : NULL;
}

gboolean install_use_offered(const struct install_disk *disk, enum install_use use, const char **why)
{
    gboolean ours = g_str_equal(disk->holds, "roundhouse");
    *why = NULL;
    if (*disk->refused)
        *why = "It cannot be installed on.";
    else if (use == INSTALL_BESIDE && ours)
        *why = "It holds Roundhouse, which can be renewed.";
    else if (use == INSTALL_BESIDE && !g_str_equal(disk->table, "GPT"))
        *why = "Its partition table is not GPT.";
    else if (use == INSTALL_BESIDE && !disk->free)
        *why = "No room is free.";
    else if (use == INSTALL_RENEW && !ours)
        *why = "It holds no Roundhouse.";
    return !*why;
}

void install_choose(struct install_model *model, int disk, int use)
{
    if (disk == model->disk && use == model->use)
        return;
    model->disk = disk;
    model->use = use;
    model->erase_guests = FALSE;
    forget_plan(model);
}

/* ---- pages ---- */

/* Whether that page is one of this installation. */
static gboolean asks(const struct install_model *model, enum install_page page)
{
    if (page == INSTALL_KEY)
        return model->encrypt && model->use != INSTALL_RENEW;
    return page < INSTALL_KEYBOARD || page > INSTALL_POLICY || model->use != INSTALL_RENEW;
}

/* The answers are lines: no character may end one, and spaces at an end would be lost. */
static gboolean is_one_line(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((guchar)*at < ' ' || *at == 0x7f)
            return FALSE;
    return g_utf8_validate(text, -1, NULL) && text[0] != ' ' && !g_str_has_suffix(text, " ");
}

static const char *missing_disk(struct install_model *model)
{
    const struct install_disk *disk = install_disk(model);
    const char *why;
    if (!disk)
        return model->disks ? "Choose a disk." : "Looking at the disks \342\200\246";
    if (model->use < 0 || !install_use_offered(disk, model->use, &why))
        return "Choose what becomes of it.";
    if (model->use == INSTALL_WHOLE && g_str_equal(disk->holds, "roundhouse") && !model->erase_guests)
        return "The disk holds Roundhouse and its guests. Say that they may be lost, or renew it.";
    if (model->plan.refused)
        return model->plan.refused;
    return model->plan.whole ? NULL : "Working out what becomes of it \342\200\246";
}

static const char *missing_encryption(struct install_model *model)
{
    static char said[256];
    const char *passphrase = model->fields[FIELD_PASSPHRASE];
    if (!model->encrypt)
        return NULL;
    if (!*passphrase)
        return "Type a passphrase.";
    if (!is_one_line(passphrase))
        return "The passphrase cannot begin or end with a space.";
    g_autofree char *weakness = model->secrets->weakness(passphrase);
    if (weakness) {
        g_snprintf(said, sizeof(said), "The passphrase is too weak: %s.", weakness);
        return said;
    }
    return g_str_equal(passphrase, model->fields[FIELD_PASSPHRASE_AGAIN]) ? NULL : "Type the same passphrase again.";
}

static const char *missing_key(struct install_model *model)
{
    const char *typed = model->fields[FIELD_KEY_AGAIN];
    if (!model->key)
        return "There are no random numbers to make a key of.";
    return g_ascii_strcasecmp(typed, model->key + strlen(model->key) - KEY_GROUP) == 0
               ? NULL
               : "Write the key down, and type its last eight letters from there.";
}

static gboolean fits(const char *pattern, const char *text)
{
    return g_regex_match_simple(pattern, text, G_REGEX_DOLLAR_ENDONLY, 0);
}

static const char *missing_person(struct install_model *model)
{
    if (!fits("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", model->fields[FIELD_HOST_NAME]))
        return "The computer's name is made of a to z, 0 to 9 and \"-\", as in laptop-1.";
    if (!*model->fields[FIELD_TIME_ZONE] || !is_one_line(model->fields[FIELD_TIME_ZONE]))
        return "Choose a time zone.";
    if (!fits("^[a-z][a-z0-9_-]{0,30}$", model->fields[FIELD_PERSON]))
        return "Your login name is made of a to z, 0 to 9, \"-\" and \"_\", with a letter first.";
    if (!*model->fields[FIELD_PASSWORD])
        return "Type a password.";
    if (!g_str_equal(model->fields[FIELD_PASSWORD], model->fields[FIELD_PASSWORD_AGAIN]))
        return "Type the same password again.";
    return NULL;
}

const char *install_missing(struct install_model *model, enum install_page page)
{
    switch (page) {
    case INSTALL_CHECK:
        return model->findings ? NULL : "Looking at this computer \342\200\246";
    case INSTALL_DISK:
        return missing_disk(model);
    case INSTALL_ENCRYPTION:
        return missing_encryption(model);
    case INSTALL_KEY:
        return missing_key(model);
    case INSTALL_KEYBOARD:
        return *model->fields[FIELD_KEYBOARD] ? NULL : "Choose a keyboard.";
    case INSTALL_PERSON:
        return missing_person(model);
    case INSTALL_POLICY:
        return *model->fields[FIELD_POLICY] ? NULL : "Choose a policy.";
    case INSTALL_SUMMARY:
        return model->plan.refused ? model->plan.refused
               : model->plan.whole ? NULL
                                   : "Working out what becomes of the disk \342\200\246";
    default:
        return NULL;
    }
}

gboolean install_next(struct install_model *model)
{
    if (model->page >= INSTALL_SUMMARY || install_missing(model, model->page))
        return FALSE;
    do
        model->page++;
    while (!asks(model, model->page));
    if (model->page == INSTALL_KEY && !model->key)
        model->key = model->secrets->new_key();
    return TRUE;
}

gboolean install_back(struct install_model *model)
{
    if (model->page == INSTALL_START || model->page >= INSTALL_PROGRESS)
        return FALSE;
    do
        model->page--;
    while (!asks(model, model->page));
    return TRUE;
}

/* ---- requests ---- */

static GString *begin_request(const struct install_model *model, const char *kind)
{
    GString *text = g_string_sized_new(4096); /* never moved, so that no copy of a secret stays */
    g_string_append_printf(text, "%s\ndisk = %s\nuse = %s\n", kind, install_disk(model)->path, use_words[model->use]);
    if (model->use == INSTALL_WHOLE && model->erase_guests)
        g_string_append(text, "erase-guests = yes\n");
    if (model->use != INSTALL_RENEW)
        g_string_append_printf(text, "encrypt = %s\n", model->encrypt ? "yes" : "no");
    return text;
}

char *install_request_plan(const struct install_model *model)
{
    GString *text = begin_request(model, "plan");
    if (model->use != INSTALL_RENEW)
        g_string_append_printf(text, "%s%s", PLAN_REST, model->encrypt ? PLAN_ENCRYPTED : "");
    g_string_append(text, "end\n");
    return g_string_free(text, FALSE);
}

char *install_request(const struct install_model *model)
{
    GString *text = begin_request(model, "install");
    char *const *fields = model->fields;
    if (model->use != INSTALL_RENEW) {
        g_autofree char *hash = model->secrets->hash(fields[FIELD_PASSWORD]);
        if (model->encrypt)
            g_string_append_printf(text, "passphrase = %s\nrecovery-key = %s\n", fields[FIELD_PASSPHRASE], model->key);
        if (!hash) {
            install_request_free(g_string_free(text, FALSE));
            return NULL;
        }
        g_string_append_printf(text, "keyboard = %s\ntime-zone = %s\nhost-name = %s\nperson = %s\npassword-hash = %s\n",
                               fields[FIELD_KEYBOARD], fields[FIELD_TIME_ZONE], fields[FIELD_HOST_NAME],
                               fields[FIELD_PERSON], hash);
        g_string_append_printf(text, "policy = %s\n", fields[FIELD_POLICY]);
    }
    g_string_append(text, "end\n");
    return g_string_free(text, FALSE);
}

void install_request_free(char *request)
{
    forget(&request);
}

/* ---- what is told ---- */

void install_begin(struct install_model *model, const char *kind)
{
    if (g_str_equal(kind, "plan")) {
        forget_plan(model);
    } else if (g_str_equal(kind, "install")) {
        model->page = INSTALL_PROGRESS;
        model->state = INSTALL_WORKING;
        model->number = model->count = model->permille = 0;
        g_free(model->title);
        model->title = g_strdup("");
        g_clear_pointer(&model->said, g_free);
    }
}

static void take_finding(struct install_model *model, const struct record *record)
{
    struct install_finding *finding = g_new0(struct install_finding, 1);
    if (!model->findings)
        model->findings = g_ptr_array_new_with_free_func(finding_free);
    finding->name = g_strdup(record_text(record, "name"));
    finding->verdict = g_strdup(record_text(record, "verdict"));
    finding->says = g_strdup(record_text(record, "says"));
    g_ptr_array_add(model->findings, finding);
    if (model->findings->len > FINDINGS_MAX)
        g_ptr_array_remove_index(model->findings, FINDINGS_MAX);
}

static void take_disk(struct install_model *model, const struct record *record)
{
    struct install_disk *disk = g_new0(struct install_disk, 1);
    if (!model->disks)
        model->disks = g_ptr_array_new_with_free_func(disk_free);
    disk->path = g_strdup(record_text(record, "path"));
    disk->model = g_strdup(record_text(record, "model"));
    disk->table = g_strdup(record_text(record, "table"));
    disk->holds = g_strdup(record_text(record, "holds"));
    disk->parts = g_strdup(record_text(record, "parts"));
    disk->refused = g_strdup(record_text(record, "refused"));
    disk->size = record_number(record, "size");
    disk->free = MAX(record_number(record, "free"), 0);
    g_ptr_array_add(model->disks, disk);
    if (model->disks->len > FINDINGS_MAX || !is_one_line(disk->path))
        g_ptr_array_remove_index(model->disks, model->disks->len - 1);
}

static void take_part(struct install_model *model, const struct record *record)
{
    struct install_part *part = g_new0(struct install_part, 1);
    part->after = g_str_equal(record_text(record, "when"), "after");
    part->start = record_number(record, "start");
    part->size = record_number(record, "size");
    part->fate = g_strdup(record_text(record, "fate"));
    part->name = g_strdup(record_text(record, "name"));
    part->what = g_strdup(record_text(record, "what"));
    part->encrypted = record_truth(record, "encrypted");
    if (part->start < 0 || part->size < 0 || model->plan.parts->len >= PARTS_MAX)
        part_free(part);
    else
        g_ptr_array_add(model->plan.parts, part);
}

static void take_progress(struct install_model *model, const struct record *record, gint64 now)
{
    guint number = (guint)CLAMP(record_number(record, "number"), 0, 1000);
    if (number != model->number)
        model->stage_began = now;
    model->number = number;
    model->count = (guint)CLAMP(record_number(record, "count"), (gint64)number, 1000);
    model->permille = (guint)CLAMP(record_number(record, "permille"), 0, 1000);
    g_free(model->title);
    model->title = g_strdup(record_text(record, "title"));
}

/* The first says more than that there were some. */
static void take_mistake(struct install_model *model, const struct record *record)
{
    gboolean planning = model->state == INSTALL_ASKING;
    char **said = planning ? &model->plan.refused : &model->said;
    *said = *said ? *said : g_strdup(record_text(record, "says"));
}

static void take_end(struct install_model *model, const struct record *record)
{
    gboolean good = record_number(record, "status") == 0;
    if (model->state == INSTALL_WORKING || model->state == INSTALL_STOPPING) {
        model->state = good ? INSTALL_DONE : INSTALL_FAILED;
        model->said = model->said ? model->said : g_strdup(record_text(record, "says"));
        return;
    }
    if (!good && !model->plan.refused)
        model->plan.refused = g_strdup(record_text(record, "says"));
    model->plan.whole = good && model->plan.parts->len > 0;
}

void install_take(struct install_model *model, const struct record *record, gint64 now)
{
    const char *kind = record_kind(record);
    if (g_str_equal(kind, "finding"))
        take_finding(model, record);
    else if (g_str_equal(kind, "disk"))
        take_disk(model, record);
    else if (g_str_equal(kind, "part"))
        take_part(model, record);
    else if (g_str_equal(kind, "progress"))
        take_progress(model, record, now);
    else if (g_str_equal(kind, "mistake"))
        take_mistake(model, record);
    else if (g_str_equal(kind, "end"))
        take_end(model, record);
}

void install_ended(struct install_model *model, const char *kind)
{
    if (g_str_equal(kind, "check") && !model->findings)
        model->findings = g_ptr_array_new_with_free_func(finding_free);
    else if (g_str_equal(kind, "disks") && !model->disks)
        model->disks = g_ptr_array_new_with_free_func(disk_free);
    else if (g_str_equal(kind, "install") && (model->state == INSTALL_WORKING || model->state == INSTALL_STOPPING)) {
        model->state = INSTALL_FAILED;
        g_free(model->said);
        model->said = g_strdup("The installer has ended without a word. What state the disk is in is not known; the "
                               "same installation again starts over.");
    } else if (g_str_equal(kind, "plan") && !model->plan.whole && !model->plan.refused) {
        model->plan.refused = g_strdup("The installer does not answer. Restart this computer from the boot medium.");
    }
}

gint64 install_seconds_left(const struct install_model *model, gint64 now)
{
    gint64 seconds = (now - model->stage_began) / G_TIME_SPAN_SECOND;
    if (seconds < SURE_AFTER || model->permille < 10)
        return -1;
    return seconds * (1000 - model->permille) / model->permille;
}
