"""A gateway and a model server of other people, installed once below .cache, pods that ask them, and a relay that reads along."""
