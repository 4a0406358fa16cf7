/* From a method and its arguments to questions: a table, whose rows say what a method is about. */
#include "request.h"
#include "errors.h"
#include "guest.h"
#include "image_users.h"
#include "storage/image_name.h"

#include <string.h>

#define NO_NAME        "?" /* a guest's, that is going to be refused: no name is this */
#define NEW_DEFINITION NO_NAME ".conf"

/* A call, and what is to be asked of it. */
struct call {
    struct policy_asker *asker;
    const GPtrArray *guests; /* struct guest */
    GDBusMethodInvocation *invocation;
    GVariant *parameters;
    enum policy_verb verb;
    struct policy_requests *requests;
};

static const char *keep(struct call *call, const char *text)
{
    return text ? g_string_chunk_insert(call->requests->texts, text) : NULL;
}

static gboolean is_too_much(const struct call *call)
{
    return call->requests->list->len > POLICY_REQUESTS_MAX;
}

static void add(struct call *call, enum policy_verb verb, const struct policy_party *object)
{
    const struct policy_request request = {verb,
                                           {object->category, keep(call, object->name), keep(call, object->label)}};
    if (!is_too_much(call))
        g_array_append_val(call->requests->list, request);
}

static struct policy_party party_of(const struct guest_config *config)
{
    return (struct policy_party){POLICY_GUEST, config->name, config->label};
}

/* As which it runs, and as which it is going to, if its label has been changed since it was started. */
static void add_guest(struct call *call, enum policy_verb verb, const struct guest *guest)
{
    const struct policy_party defined = party_of(guest_definition(guest));
    const struct policy_party runs = {POLICY_GUEST, defined.name, guest_label(guest)};
    add(call, verb, &runs);
    if (g_strcmp0(runs.label, defined.label) != 0)
        add(call, verb, &defined);
}

/* ---- what is it about? FALSE: that is not there ---- */

static gboolean the_laptop(struct call *call)
{
    const struct policy_party laptop = {.category = POLICY_LAPTOP};
    add(call, call->verb, &laptop);
    return TRUE;
}

static const struct guest *find_called(const struct call *call)
{
    const char *path = g_dbus_method_invocation_get_object_path(call->invocation);
    for (guint i = 0; i < call->guests->len; i++) {
        const struct guest *guest = g_ptr_array_index(call->guests, i);
        if (g_str_equal(guest_object_path(guest), path))
            return guest;
    }
    return NULL;
}

static gboolean the_guest(struct call *call)
{
    const struct guest *guest = find_called(call);
    if (guest)
        add_guest(call, call->verb, guest);
    return guest != NULL;
}

/* Slot 0 is the switcher, or nobody. Where no guest is nothing is done, and the method says so. */
static gboolean the_slot(struct call *call)
{
    const struct guest *found = NULL;
    guint slot;
    g_variant_get(call->parameters, "(u)", &slot);
    for (guint i = 0; slot && i < call->guests->len; i++) {
        const struct guest *guest = g_ptr_array_index(call->guests, i);
        if (guest_slot(guest) == slot && (!found || guest_domid(guest) >= 0))
            found = guest;
    }
    if (found)
        add_guest(call, call->verb, found);
    return TRUE;
}

/* ---- what does it copy, or let another guest see? ---- */

/* What is in an image is its guests'. One that no definition has is taken for a guest of that name. */
static void add_export(struct call *call, const char *image)
{
    guint before = call->requests->list->len;
    for (guint i = 0; i < call->guests->len; i++) {
        const struct guest *guest = g_ptr_array_index(call->guests, i);
        if (image_users_is_one(guest, image))
            add_guest(call, POLICY_VERB_EXPORT, guest);
    }
    const struct policy_party nobodys = {POLICY_GUEST, image_name_valid(image) ? image : NO_NAME, NULL};
    if (call->requests->list->len == before)
        add(call, POLICY_VERB_EXPORT, &nobodys);
}

static gboolean the_image(struct call *call)
{
    const char *image;
    g_variant_get_child(call->parameters, 0, "&s", &image);
    add_export(call, image);
    return TRUE;
}

/* All of the words are looked at: a word may be there twice. */
static void add_clones(struct call *call, GVariant *words)
{
    GVariantIter iter;
    const char *key;
    GVariant *value;
    g_variant_iter_init(&iter, words);
    while (!is_too_much(call) && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        if (g_str_equal(key, "clone") && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
            add_export(call, g_variant_get_string(value, NULL));
        g_variant_unref(value);
    }
}

static gboolean the_clones(struct call *call)
{
    g_autoptr(GVariant) disks = g_variant_get_child_value(call->parameters, 1);
    for (gsize i = 0; i < g_variant_n_children(disks) && !is_too_much(call); i++) {
        g_autoptr(GVariant) words = g_variant_get_child_value(disks, i);
        add_clones(call, words);
    }
    return TRUE;
}

/* Images that the definition has and the guest (NULL: a new one) has not yet: it is going to read them. */
static void add_images(struct call *call, const struct guest_config *config, const struct guest *guest)
{
    const char *disc =
        config->cdrom && g_str_has_prefix(config->cdrom, GUEST_IMAGE) ? config->cdrom + strlen(GUEST_IMAGE) : NULL;
    if (disc && !(guest && image_users_is_one(guest, disc)))
        add_export(call, disc);
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->pooled && !(guest && image_users_is_one(guest, disk->target)))
            add_export(call, disk->target);
    }
}

/* ---- and what becomes of it: what the policy knows it by afterwards ---- */

/* A label that is none is asked as if it were not given: the method refuses it, with the words that are known. */
static struct policy_party as_known(struct policy_asker *asker, const struct guest_config *config)
{
    char context[GUEST_CONTEXT_BYTES];
    struct policy_party party = party_of(config);
    if (!policy_label(asker, party.name, party.label, context, NULL))
        party.label = NULL;
    return party;
}

/*
 * What the method is going to make of the settings, by its own reader, so that both understand the same. What cannot be
 * read the method refuses, and then it is otherwise. guest NULL: a new one.
 */
static void add_changed(struct call *call, const struct guest *guest, const struct policy_party *otherwise)
{
    g_autoptr(GVariant) settings = g_variant_get_child_value(call->parameters, 0);
    const char *path = guest ? guest_config(guest)->path : NULL;
    struct guest_config *config = guest_config_edit(path, path ? path : NEW_DEFINITION, settings, NULL);
    const struct policy_party becomes = config ? as_known(call->asker, config) : *otherwise;
    add(call, call->verb, &becomes);
    if (config)
        add_images(call, config, guest);
    guest_config_free(config);
}

static gboolean new_guest(struct call *call)
{
    const struct policy_party nobody = {POLICY_GUEST, NO_NAME, NULL};
    add_changed(call, NULL, &nobody);
    return TRUE;
}

static gboolean changed_guest(struct call *call)
{
    const struct guest *guest = find_called(call);
    const struct policy_party unchanged = party_of(guest_config(guest));
    add_changed(call, guest, &unchanged);
    return TRUE;
}

static gboolean renamed_guest(struct call *call)
{
    const char *name;
    g_variant_get(call->parameters, "(&s)", &name);
    struct policy_party object = party_of(guest_config(find_called(call)));
    object.name = image_name_valid(name) ? name : NO_NAME; /* guests' names are as those of images */
    add(call, call->verb, &object);
    return TRUE;
}

static const struct about {
    const char *interface, *method;        /* method NULL: all others of the interface */
    gboolean (*ask[2])(struct call *call); /* one after the other, up to NULL */
} abouts[] = {
    {"org.roundhouse.Manager1", "CreateGuest", {new_guest, the_clones}},
    {"org.roundhouse.Manager1", "CloneImage", {the_laptop, the_image}},
    {"org.roundhouse.Manager1", "ExportImage", {the_image}},
    {"org.roundhouse.Manager1", "Switch", {the_slot}},
    {"org.roundhouse.Manager1", "GiveMicrophone", {the_slot}},
    {"org.roundhouse.Guest1", "SetSettings", {the_guest, changed_guest}},
    {"org.roundhouse.Guest1", "Rename", {the_guest, renamed_guest}},
    {"org.roundhouse.Guest1", NULL, {the_guest}},
    {NULL, NULL, {the_laptop}},
};

static const struct about *find_about(GDBusMethodInvocation *invocation)
{
    const char *interface = g_dbus_method_invocation_get_interface_name(invocation);
    const char *method = g_dbus_method_invocation_get_method_name(invocation);
    const struct about *row = abouts;
    while (row->interface &&
           (!g_str_equal(row->interface, interface) || (row->method && !g_str_equal(row->method, method))))
        row++;
    return row;
}

gboolean policy_requests_read(struct policy_requests *requests, struct policy_asker *asker, const GPtrArray *guests,
                              GDBusMethodInvocation *invocation, enum policy_verb verb, GError **error)
{
    const struct about *about = find_about(invocation);
    struct call call = {asker, guests, invocation, g_dbus_method_invocation_get_parameters(invocation), verb, requests};
    gboolean there = TRUE;
    requests->list = g_array_new(FALSE, FALSE, sizeof(struct policy_request));
    requests->texts = g_string_chunk_new(256);
    for (gsize i = 0; there && i < G_N_ELEMENTS(about->ask) && about->ask[i]; i++)
        there = about->ask[i](&call);
    if (!there)
        g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND, "What was asked for is not there any more.");
    else if (is_too_much(&call))
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "One call may be about %d guests and images at most.",
                    POLICY_REQUESTS_MAX);
    return there && !is_too_much(&call);
}

void policy_requests_clear(struct policy_requests *requests)
{
    g_array_unref(requests->list);
    g_string_chunk_free(requests->texts);
}
