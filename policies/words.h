/*
 * The words of the policy language, each once: what parser, compiler, tables, manual and completion know of them is
 * made from these lists. A number here stands in compiled tables: a new word goes to the end of its list with the next
 * number, a word that goes away leaves its number unused. Plain C without allocation; the hypervisor includes it too.
 */
#ifndef POLICIES_WORDS_H
#define POLICIES_WORDS_H

/* Who or what a sentence is about. */
enum policy_category {
    POLICY_NOBODY, /* identity 0 of every table: may nothing, and nothing may be done to it */
    POLICY_GUEST,
    POLICY_LAPTOP, /* this machine: the hypervisor and the service VM */
    POLICY_PERSON,
    POLICY_ADMINISTRATOR,
    POLICY_REMOTE,
    POLICY_DEVICE,
    POLICY_NETWORK,
    POLICY_CATEGORIES,
};

#define POLICY_IS(category) (1U << POLICY_##category)
#define POLICY_PEOPLE       (POLICY_IS(PERSON) | POLICY_IS(ADMINISTRATOR) | POLICY_IS(REMOTE))

/* X(number, NAME, category, "words"): the kinds of guests, and the classes of devices and networks. */
#define POLICY_CLASSES(X)                                                                                              \
    X(1, DESKTOP, GUEST, "desktop")                                                                                    \
    X(2, SERVICE, GUEST, "service")                                                                                    \
    X(3, USB_STORAGE, DEVICE, "usb storage")                                                                           \
    X(4, USB_KEYBOARD, DEVICE, "usb keyboard")                                                                         \
    X(5, USB_POINTER, DEVICE, "usb pointer")                                                                           \
    X(6, USB_CAMERA, DEVICE, "usb camera")                                                                             \
    X(7, USB_AUDIO, DEVICE, "usb audio")                                                                               \
    X(8, USB_PRINTER, DEVICE, "usb printer")                                                                           \
    X(9, USB_NETWORK, DEVICE, "usb network")                                                                           \
    X(10, USB_SMARTCARD, DEVICE, "usb smartcard")                                                                      \
    X(11, USB_OTHER, DEVICE, "usb other")                                                                              \
    X(12, PCI_DISPLAY, DEVICE, "pci display")                                                                          \
    X(13, PCI_NETWORK, DEVICE, "pci network")                                                                          \
    X(14, PCI_STORAGE, DEVICE, "pci storage")                                                                          \
    X(15, PCI_USB, DEVICE, "pci usb")                                                                                  \
    X(16, PCI_OTHER, DEVICE, "pci other")                                                                              \
    X(17, WIRED, NETWORK, "wired network")                                                                             \
    X(18, WIRELESS, NETWORK, "wireless network")                                                                       \
    X(19, VPN, NETWORK, "vpn network")

enum policy_class_number {
#define POLICY_CLASS(number, name, category, words) POLICY_CLASS_##name = number,
    POLICY_CLASSES(POLICY_CLASS)
#undef POLICY_CLASS
        POLICY_CLASS_LIMIT = 32,
};

/* X(number, NAME, "words"): what a rule may depend on. The one who asks says which of them hold. */
#define POLICY_CONDITIONS(X)                                                                                           \
    X(0, ON_SCREEN, "on screen", "the guest that does it is the one on screen")                                        \
    X(1, LOCKED, "locked", "the screen is locked")                                                                     \
    X(2, SHARED, "screen shared", "the screen goes to a projector or into a call")                                     \
    X(3, ON_AC, "on AC", "the laptop is on mains power")

enum policy_condition {
#define POLICY_CONDITION(number, name, words, text) POLICY_WHEN_##name = 1 << number,
    POLICY_CONDITIONS(POLICY_CONDITION)
#undef POLICY_CONDITION
};

/* Who asks the table about a verb, and so enforces it. Only people can be asked, and only who sees the screen knows the
 * conditions, so a rule about the hypervisor's verbs is plain allow or deny. */
enum policy_enforcer {
    POLICY_BY_HYPERVISOR,
    POLICY_BY_SERVICES,
    POLICY_BY_SEAT,
    POLICY_BY_SOUND,
};

/*
 * X(number, NAME, "words", subjects, objects, enforcer, "what it is"). The words of a verb end where its object begins;
 * objects 0: it is always about this laptop, and the sentence names no object.
 */
#define POLICY_VERBS(X)                                                                                                \
    X(0, CONTROL, "control", POLICY_IS(LAPTOP) | POLICY_IS(GUEST), POLICY_IS(LAPTOP) | POLICY_IS(GUEST), HYPERVISOR,   \
      "make, change and end domains by hypercalls; of the laptop: the hypercalls that act on the whole machine")       \
    X(1, MAP_MEMORY, "map memory of", POLICY_IS(LAPTOP) | POLICY_IS(GUEST), POLICY_IS(LAPTOP) | POLICY_IS(GUEST),      \
      HYPERVISOR, "map memory that the guest has not granted; of the laptop: what the hypervisor shows of itself")     \
    X(2, DEVICE_MODEL, "run device model of", POLICY_IS(LAPTOP) | POLICY_IS(GUEST),                                    \
      POLICY_IS(LAPTOP) | POLICY_IS(GUEST), HYPERVISOR,                                                                \
      "answer for the guest's virtual hardware; of the laptop: make such calls at all")                                \
    X(3, SHARE_MEMORY, "share memory with", POLICY_IS(LAPTOP) | POLICY_IS(GUEST),                                      \
      POLICY_IS(LAPTOP) | POLICY_IS(GUEST), HYPERVISOR,                                                                \
      "let the other map or copy pages that it grants (grant tables)")                                                 \
    X(4, SEND_EVENTS, "send events to", POLICY_IS(LAPTOP) | POLICY_IS(GUEST), POLICY_IS(LAPTOP) | POLICY_IS(GUEST),    \
      HYPERVISOR, "connect to an event channel that the other offers")                                                 \
    X(5, DRIVE_HARDWARE, "drive hardware", POLICY_IS(LAPTOP) | POLICY_IS(GUEST), 0, HYPERVISOR,                        \
      "use physical interrupts, ports and firmware")                                                                   \
    X(6, READ_MACHINE, "read machine log", POLICY_IS(LAPTOP) | POLICY_IS(GUEST), 0, HYPERVISOR,                        \
      "read the hypervisor's console and command line")                                                                \
    X(7, TAKE_OVER, "take over", POLICY_IS(GUEST), POLICY_IS(DEVICE), SERVICES,                                        \
      "have a PCI device for itself (passthrough)")                                                                    \
    X(8, USE_SCREEN, "use screen", POLICY_IS(GUEST), 0, SEAT, "be brought on screen")                                  \
    X(9, TAKE_SCREENSHOT, "take screenshot of", POLICY_IS(GUEST) | POLICY_PEOPLE,                                      \
      POLICY_IS(GUEST) | POLICY_IS(LAPTOP), SEAT, "take a picture of the guest's screen; of the laptop: of all of it") \
    X(10, SEND_CLIPBOARD, "send clipboard to", POLICY_IS(GUEST), POLICY_IS(GUEST), SEAT,                               \
      "hand what was copied in one to the other")                                                                      \
    X(11, SEND_FILES, "send files to", POLICY_IS(GUEST), POLICY_IS(GUEST) | POLICY_IS(LAPTOP), SERVICES,               \
      "hand files to the other; to the laptop: to disks of its own")                                                   \
    X(12, TYPE_INTO, "type into", POLICY_IS(GUEST) | POLICY_PEOPLE, POLICY_IS(GUEST), SEAT,                            \
      "give it keys and the pointer")                                                                                  \
    X(13, PLAY_SOUND, "play sound", POLICY_IS(GUEST), 0, SOUND, "be heard")                                            \
    X(14, USE_MICROPHONE, "use microphone", POLICY_IS(GUEST), 0, SOUND, "hear the room")                               \
    X(15, USE_CAMERA, "use camera", POLICY_IS(GUEST), 0, SERVICES, "see the room")                                     \
    X(16, USE, "use", POLICY_IS(GUEST), POLICY_IS(DEVICE), SERVICES, "have a USB device that is plugged in")           \
    X(17, READ_DISCS, "read discs", POLICY_IS(GUEST), 0, SERVICES, "read the disc in the drive")                       \
    X(18, WRITE_DISCS, "write discs", POLICY_IS(GUEST), 0, SERVICES, "write to the disc in the drive")                 \
    X(19, CONNECT, "connect to", POLICY_IS(GUEST), POLICY_IS(GUEST) | POLICY_IS(NETWORK), SERVICES,                    \
      "reach the other, or that network, through its network card")                                                    \
    X(20, CREATE, "create", POLICY_PEOPLE, POLICY_IS(GUEST), SERVICES, "make a guest like this")                       \
    X(21, DELETE, "delete", POLICY_PEOPLE, POLICY_IS(GUEST), SERVICES, "remove the guest and its disks")               \
    X(22, EXPORT, "export", POLICY_PEOPLE, POLICY_IS(GUEST), SERVICES, "copy the guest off the laptop")                \
    X(23, CHANGE_SETTINGS, "change settings of", POLICY_PEOPLE, POLICY_IS(GUEST) | POLICY_IS(LAPTOP), SERVICES,        \
      "change its definition; of the laptop: its settings")                                                            \
    X(24, SNAPSHOT, "snapshot", POLICY_PEOPLE | POLICY_IS(LAPTOP), POLICY_IS(GUEST), SERVICES, "keep a state of it")   \
    X(25, REVERT, "revert", POLICY_PEOPLE, POLICY_IS(GUEST), SERVICES, "go back to a kept state")                      \
    X(26, SUSPEND, "suspend", POLICY_PEOPLE | POLICY_IS(LAPTOP), POLICY_IS(GUEST), SERVICES,                           \
      "pause it, let it go on, save it")                                                                               \
    X(27, START, "start", POLICY_PEOPLE, POLICY_IS(GUEST), SERVICES, "start it")                                       \
    X(28, START_UNATTENDED, "start unattended", POLICY_IS(LAPTOP), POLICY_IS(GUEST), SERVICES,                         \
      "start it with the machine, with nobody asking")                                                                 \
    X(29, STOP, "stop", POLICY_PEOPLE | POLICY_IS(LAPTOP), POLICY_IS(GUEST), SERVICES,                                 \
      "shut it down, restart it, force it off")                                                                        \
    X(30, SEE, "see", POLICY_PEOPLE, POLICY_IS(GUEST) | POLICY_IS(LAPTOP), SERVICES,                                   \
      "see that it is there, its state and its log")                                                                   \
    X(31, MANAGE, "manage from afar", POLICY_IS(REMOTE), 0, SERVICES, "connect to this laptop's management at all")    \
    X(32, UPDATE, "update", POLICY_PEOPLE | POLICY_IS(LAPTOP), POLICY_IS(GUEST) | POLICY_IS(LAPTOP), SERVICES,         \
      "install another version of it")                                                                                 \
    X(33, CHANGE_POWER, "change power", POLICY_PEOPLE, 0, SERVICES, "let the laptop sleep, restart or go off")         \
    X(34, CHANGE_POLICY, "change policy", POLICY_PEOPLE, 0, SERVICES, "put another policy in force")

enum policy_verb {
#define POLICY_VERB(number, name, words, subjects, objects, enforcer, text) POLICY_VERB_##name = number,
    POLICY_VERBS(POLICY_VERB)
#undef POLICY_VERB
        POLICY_VERB_LIMIT = 64,
};

#endif
