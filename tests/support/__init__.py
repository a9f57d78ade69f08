"""What tests share: environments with real Flower and a scripted endpoint."""
