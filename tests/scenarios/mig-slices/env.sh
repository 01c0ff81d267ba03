export CUDA_VISIBLE_DEVICES='MIG-aaaaaaaa-0000-5000-8000-aaaaaaaaaaaa,MIG-bbbbbbbb-0000-5000-8000-bbbbbbbbbbbb'
