/*
 * A frame that goes from one owner to the next, and TLBs of three processors: free_pages() stamps it, alloc_pages()
 * flushes those that have not flushed since (core/page_alloc.c, x86/tlb.c).
 *
 * Held to: when the new owner has the frame, no processor translates to it by the old owner's tables any more.
 *
 * Broken on purpose, each must be found: NO_FLUSH, FILTER_OFF_BY_ONE, TIME_AFTER_FLUSH.
 */
#define CPUS   3

byte clock = 1, stamp = 0;
byte flushed[CPUS];
bool may_translate[CPUS];
bool mapped = true, handed_over = false;

/* tlb_flush_local(): the clock ticks before the flush, so that a flush counts only for stamps from before it began */
inline tlb_flush(cpu, time)
{
#ifdef TIME_AFTER_FLUSH
    may_translate[cpu] = false;
    atomic { clock++; time = clock }
#else
    atomic { clock++; time = clock }
    may_translate[cpu] = false;
#endif
    flushed[cpu] = time;
    time = 0
}

/* Each flushes on its own once. */
active [CPUS] proctype processor()
{
    byte time = 0;
    tlb_flush(_pid, time)
}

/* Any of them may walk the tables at any moment, as long as the entry is there. */
active proctype walker()
{
    byte walks = 0;
    do
    :: walks < 2 ->
        atomic {
            walks++;
            if
            :: mapped -> may_translate[0] = true
            :: mapped -> may_translate[1] = true
            :: !mapped
            fi
        }
    :: break
    od
}

active proctype owner()
{
    byte cpu = 0, time = 0;
    mapped = false;
    stamp = clock; /* free_pages() */
#ifndef NO_FLUSH
    do /* tlb_filter_and_flush() */
    :: cpu < CPUS ->
        if
#ifdef FILTER_OFF_BY_ONE
        :: flushed[cpu] < stamp ->
#else
        :: flushed[cpu] <= stamp ->
#endif
            tlb_flush(cpu, time)
        :: else
        fi;
        cpu++
    :: else -> break
    od;
#endif
    atomic {
        handed_over = true;
        assert(!may_translate[0] && !may_translate[1] && !may_translate[2])
    }
}
