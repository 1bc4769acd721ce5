/* The keeper, a design that is not built: what is left of an instance that has died, and the predecessor of an upgrade
   that nobody asked for. It never runs a connection. Without KEEPER there is none. */

#ifndef KEEPER
#define start_keepers() skip
#else

/* A worker that holds the lock dies, in the middle of running `marked` or between two connections. Descriptors, lock and
   connections stay with its keeper; a batch on the way back that it has not started is dropped. */
inline be_kept(p, marked) {
  dead = dead | BIT(p);
  kept = kept | BIT(p);
  accepting = accepting & ~BIT(p);
  is_instance = is_instance & ~BIT(p);
  succeeding = succeeding & ~BIT(p);
  hopeful = hopeful & ~BIT(p);
  slow = slow & ~BIT(p);
  shut[p] = true;
  unread(to_successor[p]);
  torn = torn | marked;
  lost = lost | (owned[p] & prepared[p]);
  owned[p] = owned[p] & ~prepared[p];
  prepared[p] = 0;
#ifndef KEEPER_IGNORES_THE_MARK
  lost = lost | marked;
  owned[p] = owned[p] & ~marked;
  running[p] = running[p] & ~marked;
#endif
  frozen[p] = frozen[p] | running[p];
  running[p] = 0;
  refused[p] = 0;
#ifdef KEEPER_WITHOUT_THE_LOCK
  lock = NOBODY;
#endif
}

/* As Offering::give_up: what an Adopted names is the successor's. */
inline close_conversation(s) {
  d_step {
    shut[s] = true;
    do
    :: to_predecessor[s]?kind,c ->
       if
#ifndef KEEPER_DOES_NOT_READ
       :: kind == Adopted -> frozen[me] = frozen[me] & ~c
#endif
       :: else
       fi
    :: empty(to_predecessor[s]) -> break
    od;
    successor[me] = NOBODY;
    offered = 0; kind = 0; c = 0
  }
}

proctype Keeper(byte me) {
  byte s;
  byte c;
  byte offered;
  mtype kind;
  bool sent, resigned;
end_keeper:
  (kept & BIT(me)) != 0;
  {
    if
    :: successor[me] != NOBODY -> s = successor[me]; close_conversation(s)
    :: else
    fi;

again:
    if
    :: born == N -> goto gives_up
    :: d_step {
         born < N;
         s = born;
         born++;
         successor[me] = s;
         heir = s;
         hopeful = 0;
         succeeding = succeeding | BIT(s);
         say(s, Inherit, FROM_KEEPER)
       }
    fi;
    run Baton(s, me);
    if
    :: to_predecessor[s]?Ready,_
    :: ENDED(to_predecessor, s) -> goto failed
    :: SILENT(to_predecessor, s) -> slow = slow | BIT(s); goto failed
    fi;
    d_step { say(s, Listen, 0) }
    if
    :: to_predecessor[s]?Listening,_
    :: ENDED(to_predecessor, s) -> goto failed
    :: SILENT(to_predecessor, s) -> slow = slow | BIT(s); goto failed
    fi;
    do
    :: atomic {
         d_step {
           (frozen[me] & ~offered) != 0 && (offered & (offered - 1)) == 0;
           c = LOWEST(frozen[me] & ~offered);
           offered = offered | c;
           say(s, Offer, c)
         }
         if :: !sent -> goto failed :: else fi
       }
    :: d_step { to_predecessor[s]?Adopted,c; frozen[me] = frozen[me] & ~c; offered = offered & ~c; check() }
    :: d_step { to_predecessor[s]?Refused,c; frozen[me] = frozen[me] & ~c; offered = offered & ~c;
                lost = lost | c; owned[me] = owned[me] & ~c; check() }       /* nobody here can serve it */
    :: ENDED(to_predecessor, s) -> goto failed
    :: SILENT(to_predecessor, s) && offered != 0 -> slow = slow | BIT(s); goto failed
    :: frozen[me] == 0 -> break
    od;
    true;
    d_step { if :: lock == me -> lock = NOBODY :: else fi; resigned = true; hopeful = hopeful | BIT(me); say(s, Done, 0) }
    if
    :: to_predecessor[s]?Bye,_ -> goto completed
    :: ENDED(to_predecessor, s) -> goto failed
    :: SILENT(to_predecessor, s) -> slow = slow | BIT(s); goto failed
    fi;

failed:
    close_conversation(s);
    if
    :: !resigned
    :: d_step { resigned && lock == NOBODY && NAMED(s) -> lock = me; resigned = false; hopeful = hopeful & ~BIT(me) }
    :: d_step { resigned && (lock != NOBODY || !NAMED(s)) -> assert(lock == s || heir != s); hopeful = hopeful & ~BIT(me) } goto completed
    fi;
    goto again;

gives_up:
    is_service_lost = true;                           /* the model has no more processes */
completed:
    true;
    d_step { if :: successor[me] != NOBODY -> shut[successor[me]] = true; unread(to_predecessor[successor[me]]) :: else fi; bury(me) }
  } unless {
    d_step { (kept & BIT(me)) == 0; s = 0; c = 0; offered = 0; kind = 0; sent = false; resigned = false }
  }
}
#define start_keepers() run Keeper(0); run Keeper(1)
#endif

#ifdef SUPERVISED
#define start_others() start_keepers(); run Parent()
#else
#define start_others() start_keepers()
#endif
