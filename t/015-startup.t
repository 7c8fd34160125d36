#!/usr/bin/perl
# nginx logs at its start the version of the module, and at a reload that a new module file is not loaded, that a store has
# become smaller, and which stored values a changed schema hides.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Test::More;
use Scim;

my ($version) = do {
    open my $f, '<', "$FindBin::Bin/../src/version.h" or die "version.h: $!";
    local $/;
    <$f> =~ /version\[\] = "(.*)"/;
};
my $t = Scim->new;
File::Copy::copy($ENV{TEST_NGINX_MODULE}, "$t->{dir}/module.so") or die "module.so: $!";
local $ENV{TEST_NGINX_MODULE} = "$t->{dir}/module.so";
$t->conf(undef, http => 'scim_store main %%DIR%%/store size=4m;',
    server => 'location /scim/v2/ { scim main; } location /version { return 200 $scim_version; }');
$t->start;
sub lines { my ($pattern) = @_; return scalar(() = $t->log =~ /$pattern/g) }

is lines(qr/\[notice\] .*scim: nginx-scim \Q$version\E\n/), 1, 'a start logs the version of the module';
is $t->request(GET => '/version')->{body}, $version, '$scim_version is known in every location';
is +($t->run('', $ENV{TEST_SCIMCTL}, '--version'))[1], "scimctl $version\n", 'scimctl has the same version';

$t->reload(gone => 1);
is lines(qr/scim: nginx-scim/), 1, 'a reload does not log the version again';
is lines(qr/has changed since nginx started/), 0, 'a reload with the same module file logs nothing about it';
is lines(qr/the size of store/), 0, 'a reload with the same size= logs nothing about it';

$t->conf(undef, http => 'scim_store main %%DIR%%/store size=3m;');
$t->reload(gone => 1);
is lines(qr/\[warn\] .*scim: the size of store "main" has been reduced from 4194304 to 3145728 bytes/), 1,
    'a reload with a smaller size= logs a warning';
$t->conf(undef, http => 'scim_store main %%DIR%%/store size=4m;');
$t->reload(gone => 1);
is lines(qr/the size of store/), 1, 'a reload with a larger size= logs nothing about it';

File::Copy::copy($ENV{TEST_NGINX_MODULE}, "$t->{dir}/module.new") or die;
rename "$t->{dir}/module.new", "$t->{dir}/module.so" or die;
$t->reload(gone => 1);
is lines(qr{\[error\] .*scim: "\Q$t->{dir}\E/module\.so" has changed since nginx started; a reload does not load it and version \Q$version\E keeps running: restart nginx or do a binary upgrade}),
    1, 'a reload with another module file logs that the old version continues';
$t->upgrade;
$t->reload(gone => 1);
is lines(qr/has changed since nginx started/), 1, 'a reload after a binary upgrade logs nothing about the module file';

ok $t->quit, 'nginx ends before the next store';

# --- a store that the workers cannot open

SKIP: {
    my ($name, undef, $uid, $gid) = getpwnam 'nobody';
    $> == 0 && $uid or skip 'needs root and a user nobody', 4;
    my $group = getgrgid $gid;
    my $store = "$t->{dir}/roots";
    mkdir $store, 0700 or die;
    $t->conf(undef, main => "user nobody $group;", http => "scim_store main $store;");
    $t->start;
    ok $t->wait_log(qr{\[error\] .*scim: cannot open store "\Q$store\E": the user nobody cannot read and write "\Q$store\E", which belongs to root:root with mode 0700; run: chown nobody:$group "\Q$store\E"; its locations answer 503}),
        'the error log names user, directory, owner, mode and the command that repairs it';
    my $r = $t->request(GET => '/scim/v2/Users');
    is $r->{status}, 503, 'GET is refused with 503 before the repair';
    my ($command) = $t->log =~ /run: (chown nobody:\S+ "[^"]+")/;
    is +($t->run('', 'sh', '-c', $command))[0], 0, 'the command in the error log succeeds';
    ok $t->wait_for(sub { $t->request(GET => '/scim/v2/Users')->{status} == 401 }), 'the store is served after the command';
    ok $t->quit, 'nginx ends before the damaged store';
}
{
    my $store = "$t->{dir}/garbage";
    mkdir $store, 0700 or die;
    $t->write_file('garbage/data.mdb', 'x' x 8192);
    $t->conf(undef, main => '', http => "scim_store main $store;");
    $t->start;
    ok $t->wait_log(qr{\[error\] .*scim: cannot open store "\Q$store\E": its data\.mdb is not an LMDB file, or its first pages are damaged \(MDB_INVALID.*\); restore a backup: scim-backup restore}),
        'the error log names a data.mdb that is no LMDB file and what to do';
}

$t->finish;
