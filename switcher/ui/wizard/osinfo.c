/*
 * roundhouse-osinfo: which system an installation disc holds, and what a PC for it should have, by libosinfo's
 * database. A program of its own, which the wizard starts when it needs it: reading the database takes a second and
 * tens of megabytes, which the switcher should not wait for or keep. What the disc calls itself comes in the options;
 * no file is opened here but the database's.
 *
 * It prints a key file with one group, [system], and in it name, short, family, memory_mib, least_memory_mib,
 * vcpus, disk_gib and firmware, those of them that the database knows; for a disc that it does not know, nothing.
 */
#include <osinfo/osinfo.h>
#include <stdlib.h>
#include <string.h>

#define GROUP        "system"
#define ARCHITECTURE "x86_64"
#define MIB          (G_GINT64_CONSTANT(1) << 20)
#define GIB          (G_GINT64_CONSTANT(1) << 30)

static char *volume, *disc_system, *publisher, *application;
static gint64 bytes;

static const GOptionEntry entries[] = {
    {"volume", 0, 0, G_OPTION_ARG_STRING, &volume, "The disc's name", "TEXT"},
    {"system", 0, 0, G_OPTION_ARG_STRING, &disc_system, "The system it says it is for", "TEXT"},
    {"publisher", 0, 0, G_OPTION_ARG_STRING, &publisher, "Who published it", "TEXT"},
    {"application", 0, 0, G_OPTION_ARG_STRING, &application, "What made it", "TEXT"},
    {"bytes", 0, 0, G_OPTION_ARG_INT64, &bytes, "How large it says it is", "BYTES"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static OsinfoOs *identify(OsinfoDb *database)
{
    g_autoptr(OsinfoMedia) media = osinfo_media_new("disc", ARCHITECTURE);
    const struct {
        const char *name, *value;
    } names[] = {
        {OSINFO_MEDIA_PROP_VOLUME_ID, volume},
        {OSINFO_MEDIA_PROP_SYSTEM_ID, disc_system},
        {OSINFO_MEDIA_PROP_PUBLISHER_ID, publisher},
        {OSINFO_MEDIA_PROP_APPLICATION_ID, application},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        if (names[i].value && *names[i].value)
            osinfo_entity_set_param(OSINFO_ENTITY(media), names[i].name, names[i].value);
    }
    if (bytes > 0)
        osinfo_entity_set_param_int64(OSINFO_ENTITY(media), OSINFO_MEDIA_PROP_VOLUME_SIZE, bytes);
    return osinfo_db_identify_media(database, media) ? osinfo_media_get_os(media) : NULL;
}

static gboolean is_ours(const char *architecture)
{
    return g_strcmp0(architecture, ARCHITECTURE) == 0 || g_strcmp0(architecture, "all") == 0;
}

static void put_number(GKeyFile *out, const char *key, gint64 number)
{
    if (number > 0)
        g_key_file_set_int64(out, GROUP, key, number);
}

/* Of several the one of our architecture comes last and counts. */
static void put_resources(GKeyFile *out, OsinfoResourcesList *list, gboolean least)
{
    for (int i = 0; i < osinfo_list_get_length(OSINFO_LIST(list)); i++) {
        OsinfoResources *row = OSINFO_RESOURCES(osinfo_list_get_nth(OSINFO_LIST(list), i));
        if (!is_ours(osinfo_resources_get_architecture(row)))
            continue;
        put_number(out, least ? "least_memory_mib" : "memory_mib", osinfo_resources_get_ram(row) / MIB);
        if (least)
            continue;
        put_number(out, "vcpus", osinfo_resources_get_n_cpus(row));
        put_number(out, "disk_gib", (osinfo_resources_get_storage(row) + GIB - 1) / GIB);
    }
    g_object_unref(list);
}

/* The database says of some systems that a BIOS does not start them. Of the others a BIOS is taken for granted. */
static void put_firmware(GKeyFile *out, OsinfoOs *os)
{
    g_autoptr(OsinfoFirmwareList) list = osinfo_os_get_complete_firmware_list(os, NULL);
    for (int i = 0; i < osinfo_list_get_length(OSINFO_LIST(list)); i++) {
        OsinfoFirmware *row = OSINFO_FIRMWARE(osinfo_list_get_nth(OSINFO_LIST(list), i));
        if (is_ours(osinfo_firmware_get_architecture(row)) && !osinfo_firmware_is_supported(row) &&
            g_strcmp0(osinfo_firmware_get_firmware_type(row), "bios") == 0)
            g_key_file_set_string(out, GROUP, "firmware", "uefi");
    }
}

static void put_text(GKeyFile *out, const char *key, const char *text)
{
    if (text)
        g_key_file_set_string(out, GROUP, key, text);
}

static void print_system(OsinfoOs *os)
{
    g_autoptr(GKeyFile) out = g_key_file_new();
    put_text(out, "name", osinfo_product_get_name(OSINFO_PRODUCT(os)));
    put_text(out, "short", osinfo_product_get_short_id(OSINFO_PRODUCT(os)));
    put_text(out, "family", osinfo_os_get_family(os));
    put_resources(out, osinfo_os_get_minimum_resources(os), TRUE);
    put_resources(out, osinfo_os_get_recommended_resources(os), FALSE);
    put_firmware(out, os);
    g_autofree char *text = g_key_file_to_data(out, NULL, NULL);
    g_print("%s", text);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) options = g_option_context_new("- which system a disc holds");
    g_option_context_add_main_entries(options, entries, NULL);
    if (!g_option_context_parse(options, &argc, &argv, &error)) {
        g_printerr("roundhouse-osinfo: %s. --help lists its options.\n", error->message);
        return EXIT_FAILURE;
    }
    g_autoptr(OsinfoLoader) loader = osinfo_loader_new();
    osinfo_loader_process_default_path(loader, &error);
    if (error) {
        g_printerr("roundhouse-osinfo: the database of systems cannot be read: %s. Is osinfo-db installed?\n",
                   error->message);
        return EXIT_FAILURE;
    }
    OsinfoOs *os = identify(osinfo_loader_get_db(loader));
    if (os)
        print_system(os);
    return EXIT_SUCCESS;
}
