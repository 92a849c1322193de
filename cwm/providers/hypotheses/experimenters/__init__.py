"""Who acts in a world, and what those who learn are rewarded for."""
