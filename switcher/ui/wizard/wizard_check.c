/* What is wrong with an answer: one function for each page that can be wrong. */
#include "wizard_private.h"

#include <string.h>

static enum wizard_level say(char **sentence, enum wizard_level level, const char *format, ...) G_GNUC_PRINTF(3, 4);

static enum wizard_level say(char **sentence, enum wizard_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    *sentence = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return level;
}

static char *size_words(guint64 bytes)
{
    return g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
}

static enum wizard_level check_source(const struct wizard *wizard, char **sentence)
{
    if (!wizard->facts.pool_bytes)
        return say(
            sentence, WIZARD_WRONG,
            "There is no pool for guests' disks on this computer, so no guest can be made. Its disk may be missing "
            "or in need of repair: look whether all disks are connected, and start the computer again.");
    if (!wizard_offers(wizard, wizard->source))
        return say(sentence, WIZARD_WRONG, "That is no longer there. Choose another source.");
    return WIZARD_FINE;
}

static enum wizard_level check_kind(const struct wizard *wizard, char **sentence)
{
    const struct medium *medium = &wizard->file.medium;
    gboolean disc = medium->kind == MEDIUM_DISC;
    if (wizard->source == WIZARD_DISC && !disc)
        return say(sentence, WIZARD_WRONG,
                   "It is no installation disc but a %s. Go back and choose a ready-made disk image as the source, or "
                   "choose another file.",
                   medium_kind_words(medium->kind));
    if (wizard->source == WIZARD_IMAGE && disc)
        return say(sentence, WIZARD_WRONG,
                   "It is an installation disc. Go back and choose that as the source, or choose another file.");
    if (disc && !medium->bootable)
        return say(sentence, WIZARD_WRONG,
                   "A PC cannot be started from this disc: it holds files, and no installer. Choose the installation "
                   "disc of a system.");
    return WIZARD_FINE;
}

static enum wizard_level check_file(const struct wizard *wizard, char **sentence)
{
    enum wizard_level kind;
    const struct medium *medium = &wizard->file.medium;
    if (!wizard->file.path)
        return say(sentence, WIZARD_WAIT, "Choose a file.");
    if (!wizard->file.looked)
        return say(sentence, WIZARD_WAIT, "Looking at it \342\200\246");
    if (wizard->file.problem)
        return say(sentence, WIZARD_WRONG, "%s", wizard->file.problem);
    if ((kind = check_kind(wizard, sentence)) != WIZARD_FINE)
        return kind;
    if (wizard->source == WIZARD_IMAGE && medium->bytes > wizard->facts.pool_free_bytes) {
        g_autofree char *wanted = size_words(medium->bytes), *there = size_words(wizard->facts.pool_free_bytes);
        return say(
            sentence, WIZARD_WRONG,
            "Its copy needs about %s, and %s of the pool of guests' disks is free. Delete a guest that is no longer "
            "needed, with its disks.",
            wanted, there);
    }
    if (wizard->source == WIZARD_DISC && wizard->file.removable)
        return say(sentence, WIZARD_HINT,
                   "It stays where it is: leave the stick in until the system is installed and the disc is taken out.");
    return WIZARD_FINE;
}

static enum wizard_level check_guest(const struct wizard *wizard, char **sentence)
{
    const struct wizard_guest *guest = wizard->origin ? wizard_find_guest(wizard, wizard->origin) : NULL;
    if (!guest)
        return say(sentence, WIZARD_WAIT, "Choose a guest.");
    if (!wizard_can_clone(guest))
        return say(sentence, WIZARD_WRONG,
                   "%s writes to something that is no image of the pool, which cannot be cloned. Choose another guest.",
                   guest->name);
    if (!guest->off)
        return say(sentence, WIZARD_HINT,
                   "%s is in use: its clone will be as after a power cut. Shut it down first for a clean one.",
                   guest->name);
    return WIZARD_FINE;
}

static enum wizard_level check_name(const struct wizard *wizard, char **sentence)
{
    const char *name = wizard->name; /* one that was proposed is right */
    if (!name)
        return WIZARD_FINE;
    if (!*name)
        return say(sentence, WIZARD_WRONG, "It needs a name. Type one.");
    if (name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")])
        return say(sentence, WIZARD_WRONG,
                   "A name can have letters from A to Z, digits, dots, dashes and underscores. Leave the rest out.");
    if (!g_ascii_isalnum(name[0]))
        return say(sentence, WIZARD_WRONG, "A name begins with a letter or a digit. Put one in front.");
    if (strlen(name) > WIZARD_NAME_MAX)
        return say(sentence, WIZARD_WRONG, "A name can be %d characters long. Make it shorter.", WIZARD_NAME_MAX);
    if (g_str_equal(name, "Domain-0"))
        return say(sentence, WIZARD_WRONG, "That is the name of the computer's own service system. Choose another.");
    if (wizard_find_guest(wizard, name))
        return say(sentence, WIZARD_WRONG, "There is a guest called %s already. Choose another name.", name);
    return WIZARD_FINE;
}

static enum wizard_level check_memory(const struct wizard *wizard, char **sentence)
{
    const struct wizard_facts *facts = &wizard->facts;
    guint mib = wizard_value(wizard, WIZARD_MEMORY_MIB);
    guint least = wizard->file.system ? wizard->file.system->least_memory_mib : 0;
    g_autofree char *all = size_words(facts->memory_kib * 1024), *there = size_words(facts->free_memory_kib * 1024);
    if (mib < WIZARD_MEMORY_MIN_MIB)
        return say(sentence, WIZARD_WRONG, "No system runs in so little. Give it %d MiB at least.",
                   WIZARD_MEMORY_MIN_MIB);
    if (facts->memory_kib && (guint64)mib * 1024 > facts->memory_kib)
        return say(sentence, WIZARD_WRONG, "This computer has %s in all. Give the guest less.", all);
    if (facts->memory_kib && (guint64)mib * 1024 > facts->free_memory_kib)
        return say(sentence, WIZARD_HINT,
                   "%s is free now. The guest can be made, but it starts only when others have been shut down; or give "
                   "it less.",
                   there);
    if (mib < least)
        return say(sentence, WIZARD_HINT, "%s asks for %u MiB at least. Its installer may refuse to go on with less.",
                   wizard->file.system->name, least);
    return WIZARD_FINE;
}

static enum wizard_level check_disk_size(const struct wizard *wizard, guint gib, char **sentence)
{
    const struct wizard_facts *facts = &wizard->facts;
    g_autofree char *all = size_words(facts->pool_bytes), *there = size_words(facts->pool_free_bytes);
    if (!gib)
        return say(sentence, WIZARD_WRONG, "A system needs a disk. Give it 1 GiB at least.");
    if (gib > WIZARD_DISK_MAX_GIB || gib > facts->pool_bytes / GIB)
        return say(sentence, WIZARD_WRONG, "The pool of guests' disks has room for %s in all. Make the disk smaller.",
                   all);
    if (facts->pool_free_bytes < GIB)
        return say(
            sentence, WIZARD_WRONG,
            "The pool of guests' disks is full: %s is free. Delete a guest that is no longer needed, with its disks.",
            there);
    if (gib > facts->pool_free_bytes / GIB)
        return say(sentence, WIZARD_HINT,
                   "%s is free now. The disk takes room only as it is written to; before the pool is full, guests are "
                   "paused.",
                   there);
    return WIZARD_FINE;
}

static enum wizard_level check_disk(const struct wizard *wizard, char **sentence)
{
    guint gib = wizard_value(wizard, WIZARD_DISK_GIB);
    guint64 there = wizard->file.medium.disk_bytes;
    if (wizard->source == WIZARD_IMAGE && gib < (there + GIB - 1) / GIB) {
        g_autofree char *words = size_words(there);
        return say(sentence, WIZARD_WRONG, "The disk in the image is %s large, and cannot be made smaller.", words);
    }
    return check_disk_size(wizard, gib, sentence);
}

static enum wizard_level check_processors(const struct wizard *wizard, char **sentence)
{
    guint number = wizard_value(wizard, WIZARD_PROCESSORS);
    if (number < 1 || number > WIZARD_PROCESSORS_MAX)
        return say(sentence, WIZARD_WRONG, "A guest can have 1 to %d processors.", WIZARD_PROCESSORS_MAX);
    return WIZARD_FINE;
}

static enum wizard_level check_firmware(const struct wizard *wizard, char **sentence)
{
    const struct wizard_system *system = wizard->file.system;
    if (system && system->uefi && !wizard_value(wizard, WIZARD_UEFI))
        return say(sentence, WIZARD_HINT, "%s is not started by a BIOS. Choose UEFI, unless you know better.",
                   system->name);
    return WIZARD_FINE;
}

static enum wizard_level check_summary(const struct wizard *wizard, char **sentence);

static enum wizard_level (*const checks[WIZARD_PAGE_COUNT])(const struct wizard *, char **) = {
    [WIZARD_PAGE_SOURCE] = check_source,     [WIZARD_PAGE_FILE] = check_file,
    [WIZARD_PAGE_GUEST] = check_guest,       [WIZARD_PAGE_NAME] = check_name,
    [WIZARD_PAGE_MEMORY] = check_memory,     [WIZARD_PAGE_DISK] = check_disk,
    [WIZARD_PAGE_SUMMARY] = check_summary,   [WIZARD_PAGE_PROCESSORS] = check_processors,
    [WIZARD_PAGE_FIRMWARE] = check_firmware,
};

/* The worst of all that is asked: what was right may have become wrong since. */
static enum wizard_level check_summary(const struct wizard *wizard, char **sentence)
{
    enum wizard_level worst = WIZARD_FINE;
    for (enum wizard_page page = 0; page < WIZARD_PAGE_COUNT; page++) {
        char *text = NULL;
        if (page == WIZARD_PAGE_SUMMARY || !wizard_asks(wizard, page))
            continue;
        enum wizard_level level = wizard_check(wizard, page, &text);
        if (level > worst) {
            worst = level;
            g_free(g_steal_pointer(sentence));
            *sentence = g_steal_pointer(&text);
        }
        g_free(text);
    }
    return worst;
}

enum wizard_level wizard_check(const struct wizard *wizard, enum wizard_page page, char **sentence)
{
    char *text = NULL;
    enum wizard_level level = checks[page] ? checks[page](wizard, &text) : WIZARD_FINE;
    if (sentence)
        *sentence = text;
    else
        g_free(text);
    return level;
}
