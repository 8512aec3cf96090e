{
  'variables': {
    'engine': '<!(node lib/sources.js root)',
  },
  'targets': [{
    'target_name': 'muster',
    'sources': ['<!@(node lib/sources.js)'],
    'include_dirs': ['src', '<(engine)/include', '<(engine)/src'],
    'defines': [
      'NAPI_VERSION=8',
      # What the kernel's program needs is not asked of who installs a package.
      'MUSTER_BUILT_WITHOUT="npm"',
    ],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=c++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++20', '-fvisibility=hidden', '-Wno-restrict', '-Wno-unused-parameter'],
  }],
}
