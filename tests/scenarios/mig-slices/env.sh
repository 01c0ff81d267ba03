export CUDA_VISIBLE_DEVICES='MIG-aaaaaaaa-0000-5000-8000-aaaaaaaaaaaa'
