"""What `woomera check` asks of the bucket: does it work as the milter uses it, how long does it keep mail?"""
