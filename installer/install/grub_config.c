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

/* GRUB cannot add. */
static void count_up(GString *text, char slot)
{
    g_string_append_printf(text, "if [ \"$chosen\" = %c ]; then\n", slot);
    for (int i = 0; i < GRUB_TRIES - 1; i++)
        g_string_append_printf(text, "    %s [ \"$%c_TRY\" = %d ]; then set %c_TRY=%d\n", i ? "elif" : "if", slot, i,
                               slot, i + 1);
    g_string_append_printf(text, "    else set %c_TRY=%d; fi\nfi\n", slot, GRUB_TRIES);
}

static void choose(GString *text)
{
    g_string_append_printf(
        text,
        "load_env\n"
        "set chosen=\nset first=\n"
        "for slot in $ORDER; do\n"
        "    if [ \"$slot\" = A ]; then set ok=\"$A_OK\"; set tries=\"$A_TRY\"\n"
        "    else set ok=\"$B_OK\"; set tries=\"$B_TRY\"; fi\n"
        "    if [ -z \"$first\" ]; then set first=\"$slot\"; fi\n"
        "    if [ -z \"$chosen\" -a \"$ok\" = 1 -a \"$tries\" != %d ]; then set chosen=\"$slot\"; fi\n"
        "done\n"
        "if [ -z \"$first\" ]; then set first=A; fi\n"
        "if [ -z \"$chosen\" ]; then set chosen=\"$first\"; fi\n",
        GRUB_TRIES);
}

static void entry(GString *text, const char *title, const char *source)
{
    g_string_append_printf(text, "menuentry '%s' {\n    source %s\n}\n", title, source);
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
                                 "set timeout=2\nset default=0\n");
    choose(text);
    count_up(text, 'A');
    count_up(text, 'B');
    g_string_append(text, "save_env A_TRY B_TRY\n"
                          "if [ \"$chosen\" = A ]; then set folder=/a; else set folder=/b; fi\nexport folder\n"
                          "insmod all_video\n");
    entry(text, "Roundhouse", "$folder/start.cfg");
    entry(text, "Roundhouse, system A", "/a/start.cfg");
    entry(text, "Roundhouse, system B", "/b/start.cfg");
    beside(text);
    return g_string_free(text, FALSE);
}

char *grub_start(char slot, const struct source *source, const char *slot_id, const char *state_id)
{
    char folder = g_ascii_tolower(slot);
    return g_strdup_printf(
        "multiboot2 /%c/hypervisor %s\n"
        "module2 /%c/kernel root=PARTUUID=%s ro roundhouse.slot=%c roundhouse.state=PARTUUID=%s console=tty0 "
        "console=hvc0 %s\n"
        "module2 /%c/initrd\n",
        folder, source->hypervisor_options, folder, slot_id, slot, state_id, source->kernel_options, folder);
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

char grub_first_slot(const char *environment, gsize length)
{
    g_autofree char *text = g_strndup(environment, length);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        if (g_str_has_prefix(*line, "ORDER=") && ((*line)[6] == 'A' || (*line)[6] == 'B'))
            return (*line)[6];
    return 0;
}
