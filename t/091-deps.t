#!/usr/bin/perl
# `make build` installs no package: it names those that are missing. `make run` and `make test` install them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $repo = "$FindBin::Bin/..";
my $t = Scim->new;    # for its directory and run(); no nginx is started
mkdir "$t->{dir}/bin" or die "$t->{dir}/bin: $!";
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES NO_DEPS)};    # of the make that runs this test

# A system with the packages `$installed`, where make runs as root and apt-get fails after it has stored its arguments.
sub system_with {
    my ($installed) = @_;
    my %command = (
        'dpkg-query' => qq{for p; do :; done; case " $installed " in *" \$p "*) echo installed ;; *) exit 1 ;; esac},
        'apt-get' => qq{echo "\$*" >>$t->{dir}/apt-get; exit 9},
        id => 'echo 0',
    );
    unlink "$t->{dir}/apt-get";
    chmod 0755, $t->write_file("bin/$_", "#!/bin/sh\n$command{$_}\n") for keys %command;
    return;
}

# Runs a command with the commands of system_with() first in PATH: (exit code, stderr, arguments of apt-get)
sub with_it {
    local $ENV{PATH} = "$t->{dir}/bin:$ENV{PATH}";
    my ($exit, $out, $err) = $t->run('', @_);
    return ($exit, $err, Scim::_slurp("$t->{dir}/apt-get"));
}

system_with('g++ make');
my ($exit, $err, $apt) = with_it('make', '-C', $repo, '-s', 'NO_DEPS=', 'build');
isnt $exit, 0, 'make build exits with an error on a system without packages that it needs';
like $err, qr/Packages are missing: .*\bliblmdb-dev\b/, 'make build names a missing package';
unlike $err, qr/g\+\+/, 'make build does not name an installed package';
like $err, qr/`make deps` installs them/, 'make build names the command that installs the packages';
like $err, qr/apt-get install -y --no-install-recommends .*\bliblmdb-dev\b/,
    'make build prints an apt-get command for the missing packages';
is $apt, '', 'make build does not run apt-get';

for my $target (qw(run test deps)) {
    system_with('g++ make');
    ($exit, $err, $apt) = with_it('make', '-C', $repo, '-s', 'NO_DEPS=', $target);
    isnt $exit, 0, "make $target exits with an error if apt-get fails";
    like $apt, qr/^-q update\n/, "make $target runs apt-get";
}

system_with('one two');
for my $action (qw(check install)) {
    ($exit, $err, $apt) = with_it("$repo/tools/deps.sh", $action, 'one', 'two');
    is "$exit$err$apt", '0', "deps.sh $action does nothing if all packages are installed";
}

done_testing;
