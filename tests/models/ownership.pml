/*
 * Whose one frame is, against grants, exchange and release: struct page.references (owner, PAGE_ALLOCATED and count in one
 * word) by the steps of page_get(), page_put(), page_claim(), page_give(), and the allocator behind them.
 *
 * A grantee maps the granter's frame and unmaps it. Meanwhile the granter exchanges the frame for another and releases it;
 * what is free goes to the victim. Held to: a mapping by the granter's grant never shows the victim's frame, and exchange
 * never takes it.
 *
 * Broken on purpose, each must be found: OWNER_APART_FROM_COUNT, GET_LOOKS_LATER, UNMAP_PUTS_FIRST.
 */
#define NOBODY  0
#define GRANTER 1
#define VICTIM  2

byte owner = GRANTER, count = 1;
bool allocated = true, is_free = false;
bool shown = false; /* an entry of the grantee's page tables names the frame */

/* domain_free_page(): whoever put the last reference has it for himself */
inline free_page()
{
    atomic { assert(!shown); owner = NOBODY; allocated = false; is_free = true }
}

inline page_put(last)
{
    atomic { count--; last = count == 0 }
    if
    :: last -> free_page()
    :: else
    fi;
    last = false
}

inline page_get(who, got, last)
{
#ifdef GET_LOOKS_LATER
    got = owner == who;
    if
    :: got -> atomic { got = count > 0; count = count + (count > 0 -> 1 : 0) }
    :: else
    fi
#else
    atomic { got = count > 0 && owner == who; count = count + (got -> 1 : 0) }
#endif
}

inline page_claim(who, got)
{
#ifdef OWNER_APART_FROM_COUNT
    got = owner == who;
    if
    :: got -> atomic { got = count == 1 && allocated; if :: got -> count = 0; allocated = false :: else fi }
    :: else
    fi
#else
    atomic {
        got = owner == who && count == 1 && allocated;
        if
        :: got -> count = 0; allocated = false
        :: else
        fi
    }
#endif
}

/* abi/memory_exchange.c: the frame is claimed; then it goes back, or (the output is there) to the allocator */
active proctype exchange()
{
    bool got = false;
    page_claim(GRANTER, got);
    if
    :: got ->
        assert(owner == GRANTER);
        if
        :: atomic { count = 1; allocated = true } /* page_give() */
        :: free_page()
        fi
    :: else
    fi
}

/* abi/memory_populate.c: release_frame() */
active proctype decrease_reservation()
{
    bool got = false, last = false, was = false;
    page_get(GRANTER, got, last);
    if
    :: got ->
        atomic { was = allocated; allocated = false }
        if
        :: was -> page_put(last)
        :: else
        fi;
        page_put(last)
    :: else
    fi
}

/* alloc_pages(), domain_assign_pages() */
active proctype populate()
{
    if
    :: atomic { is_free -> is_free = false; owner = VICTIM; count = 1; allocated = true }
    :: true
    fi
}

/* abi/grant_map.c over pv/grant_map.c: the frame, the entry; and back, the entry first */
active [2] proctype grant_map()
{
    bool got = false, last = false;
    page_get(GRANTER, got, last);
    if
    :: got ->
        atomic { assert(owner == GRANTER); shown = true }
        atomic { assert(owner == GRANTER || !shown) }
#ifdef UNMAP_PUTS_FIRST
        page_put(last);
        shown = false
#else
        atomic { shown = false; assert(owner == GRANTER) }
        page_put(last)
#endif
    :: else
    fi
}
