#include "grub_config.h"

#include <string.h>

/* Systems beside ours, where their boot files are on some partition of UEFI's. Looked for at each start: what comes and
 * goes needs no change here. */
static const struct {
    const char *title, *path;
} others[] = {
    {"Windows", "/EFI/Microsoft/Boot/bootmgfw.efi"}, {"Debian", "/EFI/debian/shimx64.efi"},
    {"Ubuntu", "/EFI/ubuntu/shimx64.efi"},           {"Fedora", "/EFI/fedora/shimx64.efi"},
    {"openSUSE", "/EFI/opensuse/shim.efi"},
};

/* From a table of all values: GRUB cannot add. */
static void count_up(GString *text, char slot)
{
    g_string_append_printf(text, "    if [ \"$1\" = %c ]; then\n", slot);
    for (int i = 0; i < GRUB_TRIES - 1; i++)
        g_string_append_printf(text, "        %s [ \"$%c_TRY\" = %d ]; then set %c_TRY=%d\n", i ? "elif" : "if", slot,
                               i, slot, i + 1);
    g_string_append_printf(text, "        else set %c_TRY=%d; fi\n    fi\n", slot, GRUB_TRIES);
}

/* `turn` is who is started, `skipped` who would have had the turn (GRUB has a `chosen` of its own). Where ORDER cannot
 * be read, whoever is there is started. */
static void choose(GString *text)
{
    g_string_append_printf(text,
                           "load_env ORDER A_OK A_TRY B_OK B_TRY\n"
                           "set turn=\nset first=\nset skipped=\n"
                           "for slot in $ORDER; do\n"
                           "    set ok=\n"
                           "    if [ \"$slot\" = A ]; then set ok=\"$A_OK\"; set tries=\"$A_TRY\"; fi\n"
                           "    if [ \"$slot\" = B ]; then set ok=\"$B_OK\"; set tries=\"$B_TRY\"; fi\n"
                           "    if [ -z \"$first\" -a -n \"$ok\" ]; then set first=\"$slot\"; fi\n"
                           "    if [ -z \"$turn\" -a \"$ok\" = 1 -a \"$tries\" != %d ]; then set turn=\"$slot\"; fi\n"
                           "done\n"
                           "if [ -z \"$first\" ]; then\n"
                           "    if [ -f /a/start.cfg ]; then set first=A; else set first=B; fi\n"
                           "fi\n"
                           "if [ -z \"$turn\" ]; then set turn=\"$first\"; fi\n"
                           "if [ \"$turn\" != \"$first\" ]; then set skipped=\"$first\"; fi\n"
                           "export turn skipped A_OK A_TRY B_OK B_TRY\n",
                           GRUB_TRIES);
}

/* Of what is damaged nothing is started: a slot's start.cfg sets `started` when its files are whole and loaded. */
static void functions(GString *text)
{
    g_string_append(text, "function count {\n");
    count_up(text, 'A');
    count_up(text, 'B');
    g_string_append(
        text, "    save_env A_TRY B_TRY\n}\n"
              "function start {\n"
              "    set started=\n"
              "    set words=\"$2\"\n"
              "    if [ \"$1\" = A ]; then set folder=/a; else set folder=/b; fi\n"
              "    if [ -f $folder/start.cfg ]; then source $folder/start.cfg; fi\n"
              "    if [ \"$started\" != yes ]; then echo \"The boot files of system $1 are damaged.\"; fi\n"
              "}\n"
              "function start_by_turn {\n"
              "    set words=\n"
              "    if [ -n \"$skipped\" ]; then\n"
              "        echo \"System $skipped did not come to the switcher: system $turn starts.\"\n"
              "        sleep --interruptible 3\n"
              "        set words=roundhouse.fallback=$skipped\n"
              "    fi\n"
              "    count $turn\n"
              "    start $turn $words\n"
              "    if [ \"$turn\" = A ]; then set other=B; set ok=\"$B_OK\"; else set other=A; set ok=\"$A_OK\"; fi\n"
              "    if [ \"$started\" != yes -a \"$ok\" = 1 ]; then\n"
              "        echo \"System $other starts.\"\n"
              "        count $other\n"
              "        start $other roundhouse.fallback=$turn\n"
              "    fi\n"
              "    if [ \"$started\" != yes ]; then\n"
              "        echo 'Nothing was started. Start the boot medium and renew the system. A key leads back to the "
              "menu.'\n"
              "        sleep --interruptible 3600\n"
              "    fi\n"
              "}\n");
}

static void entry(GString *text, const char *title, const char *id, const char *command)
{
    g_string_append_printf(text, "menuentry '%s' --id %s {\n    %s\n}\n", title, id, command);
}

static void beside(GString *text)
{
    g_string_append(text, "if [ \"$grub_platform\" = efi ]; then\n");
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        g_string_append_printf(text,
                               "    if search --no-floppy --file --set=other %s; then\n"
                               "        menuentry '%s' {\n"
                               "            search --no-floppy --file --set=root %s\n"
                               "            chainloader %s\n"
                               "        }\n"
                               "    fi\n",
                               others[i].path, others[i].title, others[i].path, others[i].path);
    g_string_append(text, "    menuentry 'Settings of the firmware' {\n        fwsetup\n    }\nfi\n");
}

char *grub_menu(void)
{
    GString *text = g_string_new("# Made by roundhouse-install. What is started, and how often it was tried: grubenv\n"
                                 "if serial --unit=0 --speed=115200; then\n"
                                 "    terminal_input --append serial\n"
                                 "    terminal_output --append serial\n"
                                 "fi\n"
                                 "set timeout=2\nset default=roundhouse\n"
                                 "insmod all_video\n");
    choose(text);
    functions(text);
    entry(text, "Roundhouse", "roundhouse", "start_by_turn");
    g_string_append(text, "if [ -f /a/start.cfg -a -f /b/start.cfg ]; then\n");
    entry(text, "Roundhouse, system A", "a", "start A");
    entry(text, "Roundhouse, system B", "b", "start B");
    g_string_append(text, "fi\n");
    entry(text, "Rescue: a shell as root, without a password; settings and guests stay closed", "rescue",
          "start $turn roundhouse.start=rescue");
    beside(text);
    return g_string_free(text, FALSE);
}

char *grub_start(char slot, const struct source *source, const char *slot_id, const char *state_id)
{
    char folder = g_ascii_tolower(slot);
    return g_strdup_printf("if hashsum --hash sha256 --check /%c/sha256 --prefix /%c; then\n"
                           "    multiboot2 /%c/hypervisor %s\n"
                           "    module2 /%c/kernel root=PARTUUID=%s ro boot=roundhouse roundhouse.slot=%c "
                           "roundhouse.state=PARTUUID=%s $words %s\n"
                           "    module2 /%c/initrd\n"
                           "    set started=yes\n"
                           "fi\n",
                           folder, folder, folder, source->hypervisor_options, folder, slot_id, slot, state_id,
                           source->kernel_options, folder);
}

char *grub_sums(const struct source *source)
{
    GString *text = g_string_new(NULL);
    for (int i = SOURCE_HYPERVISOR; i <= SOURCE_INITRD; i++)
        g_string_append_printf(text, "%s  %s\n", source->files[i].sum, source_names[i]);
    return g_string_free(text, FALSE);
}

#define SIGNATURE "# GRUB Environment Block\n"

char *grub_environment(char first, gboolean has_other)
{
    char other = first == 'A' ? 'B' : 'A';
    g_autofree char *text = g_strdup_printf(SIGNATURE "ORDER=%c %c\n%c_OK=1\n%c_TRY=0\n%c_OK=%d\n%c_TRY=0\n", first,
                                            other, first, first, other, has_other, other);
    char *block = g_malloc(GRUB_ENVIRONMENT_SIZE);
    memset(block, '#', GRUB_ENVIRONMENT_SIZE);
    memcpy(block, text, strlen(text));
    return block;
}

/* The rest of the line that begins with `name`; NULL if there is none. */
static const char *value_of(char *const *lines, const char *name)
{
    for (; *lines; lines++)
        if (g_str_has_prefix(*lines, name))
            return *lines + strlen(name);
    return NULL;
}

char grub_turn(const char *environment, gsize length)
{
    g_autofree char *text = g_strndup(environment, length), *used_up = g_strdup_printf("%d", GRUB_TRIES);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    const char *order = value_of(lines, "ORDER=");
    char first = 0;
    for (; order && *order; order++) {
        if (*order != 'A' && *order != 'B')
            continue;
        first = first ? first : *order;
        if (g_strcmp0(value_of(lines, *order == 'A' ? "A_OK=" : "B_OK="), "1") == 0 &&
            g_strcmp0(value_of(lines, *order == 'A' ? "A_TRY=" : "B_TRY="), used_up) != 0)
            return *order;
    }
    return first;
}
