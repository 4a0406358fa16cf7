/*
 * What one frame is used for, on three processors: core/page_type.c, states and steps by the names of hv/page_type.h.
 *
 * Two of them take the frame's type, use it, and give it back; the third only translates by what is mapped, and flushes
 * when it likes. Translations stay in a TLB until that one is flushed.
 * Held to: nobody uses the frame as one kind while a processor may still translate by the other.
 *
 * Broken on purpose, each must be found: SECOND_TAKER_DOES_NOT_WAIT, STAMP_BEFORE_EXCHANGE, NO_FLUSH.
 */
#define CPUS   3
#define USERS  2
#define ROUNDS 2

#define NONE     0
#define WRITABLE 1
#define TABLE    2

#define IDLE     0
#define CHANGING 1
#define READY    2

/* struct page */
byte state = IDLE, kind = NONE, count = 0, stamp = 0;

/* x86/tlb.c */
byte clock = 1;
byte flushed[CPUS];
bool may_translate[CPUS * 3]; /* by processor and kind */

/* Entries of page tables that name the frame as this kind. */
byte mapped[3];
#define TRANSLATES(cpu, k) may_translate[(cpu) * 3 + (k)]
#define OTHER(k)           (3 - (k))

inline flush(cpu, time)
{
    atomic { clock++; time = clock }
    atomic { TRANSLATES(cpu, WRITABLE) = false; TRANSLATES(cpu, TABLE) = false }
    flushed[cpu] = time;
    time = 0
}

inline flush_late(cpu, time)
{
    cpu = 0;
    do
    :: cpu < CPUS ->
        if
        :: flushed[cpu] <= stamp -> flush(cpu, time)
        :: else
        fi;
        cpu++
    :: else -> break
    od;
    cpu = 0
}

/* page_type_take(), with the flush and the step to READY that follow */
inline page_type_take(k, got, former, cpu, time)
{
    do
    :: atomic {
        if
        :: state == IDLE -> former = kind; kind = k; count = 1; state = CHANGING; got = true; break
        :: state != IDLE && kind != k -> got = false; break
#ifdef SECOND_TAKER_DOES_NOT_WAIT
        :: state == CHANGING && kind == k -> count++; former = k; got = true; break
#endif
        :: state == READY && kind == k -> count++; former = k; got = true; break
        fi
    }
    od;
    if
    :: got && former != k ->
#ifndef NO_FLUSH
        if
        :: former != NONE -> flush_late(cpu, time)
        :: else
        fi;
#endif
        state = READY
    :: got && former == k && state == CHANGING && count == 1 -> state = READY
    :: else
    fi;
    former = 0
}

/* page_type_drop(), page_type_idle() */
inline page_type_put(last, seen)
{
#ifdef STAMP_BEFORE_EXCHANGE
    last = false;
    do
    :: !last ->
        seen = count;
        if
        :: seen == 1 -> stamp = clock
        :: else
        fi;
        atomic {
            if
            :: count == seen -> count--; last = true;
                if
                :: count == 0 -> state = IDLE
                :: else
                fi
            :: else
            fi
        }
    :: else -> break
    od;
#else
    atomic {
        if
        :: count == 1 -> state = CHANGING; last = true
        :: else -> count--; last = false
        fi
    }
    if
    :: last -> stamp = clock; atomic { count = 0; state = IDLE }
    :: else
    fi;
#endif
    last = false;
    seen = 0
}

inline use(k)
{
    byte c;
    for (c : 0 .. CPUS - 1) { assert(!TRANSLATES(c, OTHER(k))) }
    c = 0
}

active [USERS] proctype user()
{
    byte round = 0, k = 0, cpu = 0, time = 0, former = 0, seen = 0;
    bool got = false, last = false;

    do
    :: round < ROUNDS ->
        atomic {
            round++;
            if
            :: k = WRITABLE
            :: k = TABLE
            fi
        }
        page_type_take(k, got, former, cpu, time);
        if
        :: got ->
            atomic { use(k); mapped[k]++; TRANSLATES(_pid, k) = true }
            atomic { use(k); mapped[k]-- }
            page_type_put(last, seen)
        :: else
        fi
    :: else -> break
    od
}

active proctype bystander()
{
    byte time = 0;
    atomic { if :: mapped[WRITABLE] -> TRANSLATES(2, WRITABLE) = true :: else fi }
    flush(2, time);
    atomic { if :: mapped[WRITABLE] -> TRANSLATES(2, WRITABLE) = true :: else fi }
}
