from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from datamodules.loading.samplers import DrawSampler, ExactOnceSampler, case_of, generator

small = st.integers(1, 40)
worlds = st.integers(1, 9)


@given(n=st.integers(0, 200), world=worlds)
def test_evaluation_sees_each_case_exactly_once(n: int, world: int) -> None:
    seen = [index for rank in range(world) for index in ExactOnceSampler(n, rank, world)]
    assert sorted(seen) == list(range(n))
    assert sum(len(ExactOnceSampler(n, rank, world)) for rank in range(world)) == n


@given(cases=small, per_device=st.integers(1, 4), steps=st.integers(1, 8), world=worlds, epoch=st.integers(0, 5))
def test_ranks_divide_the_same_global_batches(cases: int, per_device: int, steps: int, world: int, epoch: int) -> None:
    batch = per_device * world
    samplers = [DrawSampler(cases, batch * steps, 3, rank, world) for rank in range(world)]
    alone = DrawSampler(cases, batch * steps, 3)
    for sampler in [*samplers, alone]:
        sampler.set_epoch(epoch)
    parted = [list(sampler) for sampler in samplers]
    whole = list(alone)
    assert all(len(draws) == len(sampler) for draws, sampler in zip(parted, samplers, strict=True))
    for step in range(steps):
        together = {draw for draws in parted for draw in draws[step * per_device : (step + 1) * per_device]}
        assert together == set(whole[step * batch : (step + 1) * batch])


@given(cases=small, seed=st.integers(0, 1000))
def test_every_turn_visits_every_case(cases: int, seed: int) -> None:
    for turn in range(3):
        assert sorted(case_of(turn * cases + i, cases, seed) for i in range(cases)) == list(range(cases))


def test_draws_never_come_twice_and_seeds_differ() -> None:
    draws = []
    for epoch in range(10):
        sampler = DrawSampler(7, 100, 0)
        sampler.set_epoch(epoch)
        draws += [draw for _, draw in sampler]
    assert draws == list(range(1000))
    first = {generator(0, draw).random() for draw in draws}
    assert len(first) == 1000
    assert not first & {generator(1, draw).random() for draw in draws}
    assert not first & {generator(0, draw, stream=1).random() for draw in draws}
    orders = {tuple(case_of(i, 20, seed) for i in range(20)) for seed in (0, 1)}
    assert len(orders) == 2


def test_the_first_epoch_has_the_first_draws() -> None:
    assert [draw for _, draw in DrawSampler(cases=3, samples=4)] == [0, 1, 2, 3]


def test_one_process_tests_every_case_and_the_draws_of_a_seed_stay() -> None:
    assert list(ExactOnceSampler(3)) == [0, 1, 2]
    assert [case_of(draw, 5, 0) for draw in range(10)] == [3, 2, 0, 4, 1, 0, 4, 3, 2, 1]
    assert [case_of(draw, 5, 1) for draw in range(5)] == [4, 2, 1, 0, 3]
    assert [case for case, _ in DrawSampler(5, 5)] == [3, 2, 0, 4, 1]
