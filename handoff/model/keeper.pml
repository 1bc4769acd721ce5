/* The keeper: what is left of a process that has died. It continues an upgrade that was under way on the spare, and is the
   predecessor of one that nobody asked for. It never runs a connection. Without KEEPER there is none.

   It offers all that its process had to the neighbour of that upgrade, which knows what of it it has already. To a fresh
   successor it offers only what is its own beyond doubt: what was offered and not answered, or prepared, may be run by the
   neighbour. */

#ifndef KEEPER
#define start_keepers() skip
#else

/* A worker dies, in the middle of running `marked` or between two connections. Descriptors, lock and connections stay with
   its keeper, and its channels stay open. */
inline be_kept(p, marked) {
  dead = dead | BIT(p);
  kept = kept | BIT(p);
  accepting = accepting & ~BIT(p);
  is_instance = is_instance & ~BIT(p);
  succeeding = succeeding & ~BIT(p);
  if :: successor[p] == NOBODY -> hopeful = hopeful & ~BIT(p) :: else fi;
  slow = slow & ~BIT(p);
  torn = torn | marked;
#ifndef KEEPER_IGNORES_THE_MARK
  lost = lost | marked;
  owned[p] = owned[p] & ~marked;
  running[p] = running[p] & ~marked;
#endif
  in_doubt[p] = frozen[p] | prepared[p];
#ifdef KEEPER_KNOWS_NOTHING_PREPARED
  prepared[p] = 0;
#endif
  frozen[p] = running[p] | frozen[p] | prepared[p];
  running[p] = 0;
  prepared[p] = 0;
  refused[p] = 0;
  known[p] = 0;
#ifdef KEEPER_WITHOUT_THE_LOCK
  if :: lock == p -> lock = NOBODY :: else fi
#endif
}

/* As Offering::give_up: what an Adopted names is the neighbour's. */
inline close_conversation(channel) {
  d_step {
    shut[at] = true;
    do
    :: channel?kind,c ->
       if
#ifndef KEEPER_DOES_NOT_READ
       :: kind == Adopted -> frozen[me] = frozen[me] & ~c; in_doubt[me] = in_doubt[me] & ~c
#endif
       :: else
       fi
    :: empty(channel) -> break
    od;
#ifndef OFFERS_WHAT_IS_IN_DOUBT
    lost = lost | (owned[me] & in_doubt[me]);
    owned[me] = owned[me] & ~in_doubt[me];
    frozen[me] = frozen[me] & ~in_doubt[me];
#endif
    in_doubt[me] = 0;
    successor[me] = NOBODY;
    offered = 0; kind = 0; c = 0
  }
}

inline hear_answer(kind, c) {
  frozen[me] = frozen[me] & ~c;
  in_doubt[me] = in_doubt[me] & ~c;
  offered = offered & ~c;
  if
  :: kind == Refused -> lost = lost | c; owned[me] = owned[me] & ~c       /* nobody here can serve it */
  :: else
  fi;
  check()
}

/* The other side has died, too: its keeper does not answer. */
#define RETURNS(at) (to_predecessor[at]?[Returning] || to_predecessor[at]?[Offer] || to_predecessor[at]?[Returned])
#define GOES_ON (to_successor[SPARE]?[Listen] || to_successor[SPARE]?[Offer] || to_successor[SPARE]?[Done])

proctype Keeper(byte me) {
  byte s;
  byte at;                                            /* the channel */
  byte c;
  byte offered;
  mtype kind;
  bool sent, resigned;
end_keeper:
  (kept & BIT(me)) != 0;
  {
    if
    /* ── Of a predecessor: Listen is in the spare before the successor looks there. The channel is not read: its process
       may have died between reading an answer and acting on it ── */
    :: successor[me] != NOBODY ->
#ifdef KEEPER_RETAKES_THE_LOCK
       lock = (lock == NOBODY -> me : lock);
#endif
#ifdef SHUTS_BEFORE_THE_SPARE
       d_step { s = successor[me]; unread(to_predecessor[s]); shut[s] = true }
#endif
       d_step {
         s = successor[me];
         at = SPARE;
#ifdef OFFERS_ONLY_WHAT_WAS_NOT
         frozen[me] = frozen[me] & ~in_doubt[me];
#endif
         say(at, Listen, 0);
         resigned = (lock != me)
       }
       d_step { unread(to_predecessor[s]); shut[s] = true }
       goto listening
    :: (spared & BIT(me)) != 0 -> goto gives_back
    /* ── Of an instance ── */
    :: else -> d_step { unread(to_successor[me]); shut[me] = true; close_spare(me); offered = 0 }
    fi;

    /* ── A fresh successor, of which nothing is expected but that it adopts what is ours ── */
again:
    assert((frozen[me] & ~owned[me]) == 0);
    if
    :: born == N -> goto starts_another
    :: atomic {
         d_step {
           born < N;
           s = born;
           at = s;
           born++;
           successor[me] = s;
           heir = s;
           hopeful = 0;
           succeeding = succeeding | BIT(s);
           say(at, Inherit, FROM_KEEPER);
           offered = 0
         }
         run Baton(s, me)
       }
    fi;
    if
    :: to_predecessor[at]?Ready,_
    :: ENDED(to_predecessor, at) -> goto failed
    :: TOO_LATE(to_predecessor, at) -> slow = slow | BIT(s); goto failed
    fi;
    d_step { say(at, Listen, 0) }

    /* ── From here on the same on the spare ── */
listening:
    if
    :: to_predecessor[at]?Listening,_
    :: RETURNS(at) -> goto failed
    :: ENDED(to_predecessor, at) -> goto failed
    :: TOO_LATE(to_predecessor, at) -> slow = slow | BIT(s); goto failed
    fi;
    do
    :: atomic {
         d_step {
           (frozen[me] & ~offered) != 0 && (offered & (offered - 1)) == 0;
           c = LOWEST(frozen[me] & ~offered);
           offered = offered | c;
           say(at, Offer, c)
         }
         if :: !sent -> goto failed :: else fi
       }
    :: d_step { to_predecessor[at]?Adopted,c; hear_answer(Adopted, c) }
    :: d_step { to_predecessor[at]?Refused,c; hear_answer(Refused, c) }
    :: RETURNS(at) -> goto failed
    :: ENDED(to_predecessor, at) -> goto failed
    :: TOO_LATE(to_predecessor, at) && offered != 0 -> slow = slow | BIT(s); goto failed
    :: frozen[me] == 0 -> break
    od;
    true;
    d_step {
      if :: lock == me -> lock = NOBODY :: else fi;
      resigned = true;
      hopeful = hopeful | BIT(me);
      say(at, Done, 0)
    }
    if
    :: to_predecessor[at]?Bye,_ -> goto completed
    :: RETURNS(at) -> goto failed
    :: ENDED(to_predecessor, at) -> goto failed
    :: TOO_LATE(to_predecessor, at) -> slow = slow | BIT(s); goto failed
    fi;

failed:
    true;
    close_conversation(to_predecessor[at]);
    if
    :: !resigned
    :: d_step { resigned && lock == NOBODY && NAMED(s) -> lock = me; resigned = false; hopeful = hopeful & ~BIT(me) }
    :: d_step {
         resigned && (lock != NOBODY || !NAMED(s)) -> assert(lock == s || heir != s); hopeful = hopeful & ~BIT(me)
       }
       goto completed
    fi;
    goto again;

    /* ── Of a successor: gives back all that it had ── */
gives_back:
    true;
#ifndef KEEPER_KEEPS_THE_LOCK
    lock = (lock == me -> NOBODY : lock);
#endif
    d_step { answer(SPARE, Returning, 0); offered = 0 }
    d_step { unread(to_successor[me]); shut[me] = true }
    do
    :: atomic {
         d_step {
           (frozen[me] & ~offered) != 0 && (offered & (offered - 1)) == 0;
           c = LOWEST(frozen[me] & ~offered);
           offered = offered | c;
           answer(SPARE, Offer, c)
         }
         if :: !sent -> break :: else fi
       }
    :: d_step { to_successor[SPARE]?Adopted,c; hear_answer(Adopted, c) }
    :: GOES_ON -> break
    :: ENDED(to_successor, SPARE) -> break
    :: TOO_LATE(to_successor, SPARE) -> break
    :: d_step { frozen[me] == 0 -> answer(SPARE, Returned, 0) } break
    od;
    if                                                /* until the predecessor is done */
    :: ENDED(to_successor, SPARE)
    :: TOO_LATE(to_successor, SPARE)
    :: nempty(to_successor[SPARE])
    fi;
    d_step { s = me; at = SPARE }
    close_conversation(to_successor[SPARE]);
    /* The predecessor has gone on, and then it holds the lock. Else the service is here. */
#ifdef KEEPER_LEAVES_THE_LOCK
    goto completed;
#endif
    if
    :: d_step { lock == NOBODY && NAMED(me) -> lock = me } goto again
    :: lock != NOBODY || !NAMED(me) -> goto completed
    fi;

    /* The model has no more processes: it ends where another would be started. */
starts_another:
end_starts_another:
    lock != me;                                       /* never */

completed:
    true;
    d_step {
      if
      :: successor[me] != NOBODY -> shut[successor[me]] = true; unread(to_predecessor[successor[me]])
      :: else
      fi;
      bury(me)
    }
  } unless {
    d_step { (kept & BIT(me)) == 0; s = 0; at = 0; c = 0; offered = 0; kind = 0; sent = false; resigned = false }
  }
}
#define start_keepers() run Keeper(0); run Keeper(1)
#endif

#ifdef SUPERVISED
#define start_others() start_keepers(); run Parent()
#else
#define start_others() start_keepers()
#endif
