/* The handover of an instance, with deaths and hangs between any two steps. README.md says how to run it. */
#include "world.pml"

/* Why a successor is started; in Inherit. */
#define FROM_WORKER 0
#define FROM_PARENT 1
#define FROM_KEEPER 2

#include "supervised.pml"
#include "predecessor.pml"
#include "successor.pml"
#include "keeper.pml"



/* The variables of a conversation that is over. */
inline forget() {
  c = 0; kind = 0;
  sent = false; from = 0; mode = PLAIN; listen_said = false; is_returning = false;
  resigned = false; serves = false; moved = false
#ifdef CANARY
  ; has_told = false
#endif
}

proctype Baton(byte me; byte p) {
  byte s;
  byte c;
  mtype kind;
  byte from;
  byte mode;                                          /* of Listen */
#ifdef KEEPER
  byte on = me;                                       /* the channel on which it is the successor */
#endif
  bool sent, listen_said, is_returning, resigned, serves, moved;
#ifdef CANARY
  bool has_told;                                      /* Trial */
#endif
  {
    if
    :: p == NOBODY -> goto serving
    :: else -> skip
    fi;
    succeed(p);

serving:
end_serving:
    do
    :: atomic {
         d_step {
           born < N && upgrades > 0;
           assert(lock == me && pid_file == me && is_instance == BIT(me) && (accepting & BIT(me)) != 0);
           upgrades--;
           s = born;
           born++;
           successor[me] = s;
           heir = s;
           hopeful = 0;
           succeeding = succeeding | BIT(s);
#ifdef KEEPER
           spare_of = s;
           known[me] = 0;
#endif
           forget()
         }
         run Baton(s, me)
       }
       hand_over(s);

rolled_back:
       /* Upgrades::failed. One that may own connections serves them to their end; an external one is not killed. */
       if
       :: !serves -> d_step { if :: (dead & BIT(s)) == 0 -> kill(s) :: else fi; s = 0; forget() }
       :: true -> d_step { slow = slow & ~BIT(s); s = 0; forget() }
       fi
    od;

superseded:
completed:
    true;
    d_step {
      shut[s] = true;
      close_spare(me);
      successor[me] = NOBODY;
      hopeful = hopeful & ~BIT(me);
      running[me] = running[me] | frozen[me];
      frozen[me] = 0;
      assert((running[me] & ~refused[me]) == 0);      /* everything else has moved */
      unread(to_predecessor[s]);
      tell(Succeeded, s);
      slow = slow & ~BIT(s);
      s = 0;
      forget();
      resigned = true
    }

draining:
    true;
    d_step {
      succeeding = succeeding & ~BIT(me);
      hopeful = hopeful & ~BIT(me);
      shut[me] = true;
      unread(to_successor[me]);
      close_spare(me);
      if :: !resigned -> tell(Leaving, 0) :: else fi;
      forget()
    }
end_draining:
    owned[me] == 0;                                   /* else it serves what it has to its end */
exits:
    true;
    d_step { leave(me) }
  } unless {
    d_step {
      ((dead | stuck) & BIT(me)) != 0;
      s = 0;
#ifdef KEEPER
      on = me;
#endif
      forget()
    }
  }
}

/* New clients: any process that accepts may get one. */
inline accept(p) {
  p < N && queued != 0 && (accepting & BIT(p)) != 0;
  owned[p] = owned[p] | queued; running[p] = running[p] | queued; KNOW(p, queued); queued = 0;
  check()
}
proctype Clients() {
end_clients:
  do
  :: d_step { accept(0) }
  :: d_step { accept(1) }
#if N > 2
  :: d_step { accept(2) }
#endif
#if N > 3
  :: d_step { accept(3) }
#endif
  od
}

/* Deaths and hangs, between any two steps of the others. Without a parent or keeper a death at rest is only the end. */
#if defined(SUPERVISED) || defined(KEEPER)
#define BUSY true
#else
#define BUSY (succeeding != 0 || hopeful != 0)
#endif
inline die(p, marked) {
  deaths > 0 && BUSY && p < born && ((dead & ~kept) & BIT(p)) == 0 && (marked == 0 || (running[p] & marked) != 0);
  deaths--;
#ifdef KEEPER
  if
  :: (dead & BIT(p)) == 0 && HAS_WORK(p) -> be_kept(p, marked)
#ifdef LOSES_NOTHING
  :: !HAS_WORK(p) -> bury(p)
#else
  :: true -> bury(p)                                  /* with its keeper, or the keeper */
#endif
  fi;
#else
  bury(p);
#endif
  note_loss()
}
inline hang(p) {
  hangs > 0 && (succeeding & ~dead & ~stuck & BIT(p)) != 0 && lock != p;
  hangs--;
  stuck = stuck | BIT(p);
  note_loss()
}
proctype Fate() {
end_fate:
  do
  :: d_step { die(0, 0) }
  :: d_step { die(1, 0) }
  :: d_step { hang(1) }
#if N > 2
  :: d_step { die(2, 0) }
  :: d_step { hang(2) }
#endif
#if N > 3
  :: d_step { die(3, 0) }
  :: d_step { hang(3) }
#endif
#ifdef KEEPER
  :: d_step { die(0, FIRST) }                         /* while it runs that connection */
  :: d_step { die(0, NEWCOMER) }
  :: d_step { die(1, FIRST) }
  :: d_step { die(1, SECOND) }
  :: d_step { die(1, NEWCOMER) }
#endif
#if defined(SUPERVISED) || defined(KEEPER)
  :: break
#endif
  od
}

/* When nothing can happen any more: one instance, or none if it died alone; every connection is run by its owner. */
proctype Rest() {
  byte found;
  timeout;
  d_step {
    assert(is_instance == 0 -> is_service_lost || kept != 0 : lock < N && is_instance == BIT(lock));
    assert(is_instance == 0 || (pid_file == lock && (accepting & ~stuck) == is_instance && queued == 0));
    found = lost | queued;
    i = 0;
    do
    :: i < N ->
       assert(((stuck | kept) & BIT(i)) != 0 || (frozen[i] == 0 && prepared[i] == 0 && running[i] == owned[i]));
       found = found | owned[i];
       i++
    :: else -> break
    od;
    i = 0;
#ifdef KEEPER
    assert(kept == 0 || (lock < N && kept == BIT(lock)));
#ifdef LOSES_NOTHING
    assert((lost & ~torn) == 0);
    assert(lock < N && (is_instance | kept) == BIT(lock) && (found & ~(lost | queued)) == owned[lock]);
#endif
#endif
    assert(found == EVERY);
    check()
  }
}

init {
  atomic {
    lock = 0; pid_file = 0; is_instance = 1; accepting = 1;
    owned[0] = LIVE; running[0] = LIVE;
    run Baton(0, NOBODY); run Clients(); run Fate(); run Rest();
    start_others()
  }
}
