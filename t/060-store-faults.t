#!/usr/bin/perl
# A store that cannot be opened makes its own locations answer 503 and nothing else; once it is repaired, it is opened again
# without a reload.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

plan skip_all => 'only root has workers of another user' if $> != 0;

my $t = Scim->new(main => 'user www-data;', http => <<'EOH', server => <<'EOS');
    scim_store a %%DIR%%/a size=16m;
    scim_store b %%DIR%%/b size=16m;
EOH
    location /a/ { scim a; }
    location /b/ { scim b; }
    location / { return 204; }
EOS
my ($a, $b) = map "$t->{dir}/$_", qw(a b);

# --- owners and modes

is +($t->check)[0], 0, 'nginx -t succeeds';
ok !-e $a && !-e $b, 'nginx -t makes no store directories';
$t->start->served('/a/Users')->served('/b/Users');
my ($uid, $gid) = (getpwnam 'www-data')[2, 3];
for ([$a, '0700'], ["$a/data.mdb", '0600'], ["$a/lock.mdb", '0600']) {
    my ($file, $mode) = @$_;
    my @stat = stat $file;
    is sprintf('%04o %d %d', $stat[2] & 07777, @stat[4, 5]), "$mode $uid $gid",
        "$file has mode $mode and belongs to the user of the workers";
}

my (%token, %id);
for ('a', 'b') {
    local $t->{store} = "$t->{dir}/$_";
    $token{$_} = $t->token($t->tenant('acme'));
    $id{$_} = $t->request(POST => "/$_/Users", token => $token{$_}, json => Scim::user("ada$_"))->{json}{id};
    ok $id{$_}, "POST creates a user in store $_";
}
$t->{store} = $b;

sub get { return $t->request(GET => "/$_[0]/Users/$id{$_[0]}", token => $token{ $_[0] }) }
sub create { return $t->request(POST => "/$_[0]/Users", token => $token{ $_[0] }, json => Scim::user($_[1])) }

sub is_503 {
    my ($r, $name) = @_;
    ok $r->{status} == 503 && ($r->{json}{status} // '') eq '503' && ($r->{headers}{'retry-after'} // 0) > 0
        && length $r->{json}{detail} && index($r->{body}, $t->{dir}) < 0,
            "$name is a 503 with Retry-After and without a path" or diag "$r->{status} ", $r->{body};
}

# --- faults

# Breaks store b, has new workers open it, and repairs it.
sub fault {
    my ($name, $log, $break, $repair, %o) = @_;
    my ($seen, $n) = (length $t->log, ++$id{n});
    $break->();
    $o{kill} ? $t->kill_worker($t->workers) : $t->reload(gone => 1);
    is_503 get('b'), "$name: a read of the store";
    is_503 create('b', "lost$n"), "$name: a write to the store";
    is get('a')->{status}, 200, "$name: a read of the other store is answered with 200";
    is create('a', "kept$n")->{status}, 201, "$name: a write to the other store is answered with 201";
    is $t->request(GET => '/')->{status}, 204, "$name: other locations are served";
    like substr($t->log, $seen), $log, "$name: the error log says why";
    my @workers = $t->workers;
    $repair->();
    ok $t->wait_for(sub { get('b')->{status} == 200 }, 10), "$name: reads are answered with 200 after the repair";
    is create('b', "again$n")->{status}, 201, "$name: writes are answered with 201 after the repair";
    is "@{[$t->workers]}", "@workers", "$name: the same worker serves the repaired store";
    my @said = substr($t->log, $seen) =~ /\[error\] .*its locations answer 503/g;
    is scalar @said, 1, "$name: the error log has one message";
}

my $own = sub { chown $uid, $gid, @_ or die $! };
my $of_root = qr/\[error\].*"\Q$b\E": the user \S+ cannot read and write "\Q$b\E[^"]*", which belongs to root:root with mode 0\d{3}; run: chown /;
fault 'a directory of another user', $of_root, sub { chown 0, 0, $b or die $! }, sub { $own->($b) };
fault 'a data.mdb of another user', $of_root, sub { chown 0, 0, "$b/data.mdb" or die $! },
    sub { $own->("$b/data.mdb") };
fault 'a lock.mdb of another user', $of_root, sub { chown 0, 0, "$b/lock.mdb" or die $! },
    sub { $own->("$b/lock.mdb") };
fault 'a renamed directory', qr/\[error\].*"\Q$b\E": No such file/, sub { rename $b, "$b.away" or die $! },
    sub { rename "$b.away", $b or die $! }, kill => 1;
fault 'a data.mdb that is no LMDB file', qr/\[error\].*"\Q$b\E": .*/, sub {
    rename "$b/data.mdb", "$b/away" or die $!;
    $own->($t->write_file('b/data.mdb', 'not LMDB ' x 2000));
}, sub { rename "$b/away", "$b/data.mdb" or die $! };
fault 'a truncated data.mdb', qr/\[error\].*"\Q$b\E".*(?:damaged|catalog)/, sub {
    rename "$b/data.mdb", "$b/away" or die $!;
    $own->($t->write_file('b/data.mdb', do { open my $f, '<:raw', "$b/away"; local $/ = \20000; <$f> }));
}, sub { rename "$b/away", "$b/data.mdb" or die $! };
fault 'a newer format', qr/\[error\].*"\Q$b\E" has format 5, which needs a version that knows format 99/,
    sub { is +($t->poke(qw(meta min_reader 99)))[0], 0,
        'poke sets min_reader to 99' }, sub { $t->poke(qw(meta min_reader 2)) };
fault 'a format that is not a number', qr/\[error\].*"\Q$b\E".*damaged/,
    sub { $t->poke(qw(meta min_reader x)) }, sub { $t->poke(qw(meta min_reader 2)) };

# --- a newer format that this version may read

$t->poke(qw(meta min_writer 99));
$t->reload(gone => 1);
is get('b')->{status}, 200, 'a store that may only be read: a read is answered with 200';
my $r = create('b', 'readonly');
is_503 $r, 'a write to a store that may only be read';
like $r->{json}{detail}, qr/read-only/, 'the 503 says that the store is read-only';
is $r->{json}{errorId}, 'store-newer', 'the refusal is store-newer';
like $t->log, qr/\[warn\].*"\Q$b\E" has format 5, which needs .* format 99.*read-only/,
    'the error log says that the store is read-only';
is create('a', 'writer')->{status}, 201, 'another store is written while one is read-only';
is +($t->poke(qw(meta write_format)))[1], "5\n", 'the format of the read-only store is unchanged';
$t->poke(qw(meta min_writer 2));
$t->reload(gone => 1);
is create('b', 'readonly')->{status}, 201, 'a store is written again after min_writer is lowered and nginx reloaded';

# --- a file that is replaced while nginx runs

push @{ $t->{expect_log} }, qr/must be reopened: its (?:data|lock)\.mdb was (?:replaced|removed)/, qr/is gone: its data\.mdb/;
sub found { return ($t->scimctl('find', '--tenant', 'acme', qq(userName eq "$_[0]"), '--json'))[1] =~ /\Q$_[0]\E/ }
rename "$b/data.mdb", "$b/away" or die $!;
{ open my $from, '<:raw', "$b/away"; local $/; $own->($t->write_file('b/data.mdb', <$from>)) }
$r = create('b', 'for-nobody');
ok $t->wait_for(sub { create('b', 'for-somebody')->{status} == 201 }),
    'a data.mdb that was replaced is opened without a reload';
like $t->log, qr/\[crit\].*"\Q$b\E" must be reopened: its data.mdb was replaced/,
    'the error log says that data.mdb was replaced';
ok found('for-somebody'), 'an acknowledged write is in the new data.mdb';
ok $r->{status} == 201 ? found('for-nobody') : $r->{status} == 503,
    'the write to the replaced data.mdb was refused with 503, or is in the new one';
unlink "$b/away";

# --- files that are removed while nginx runs

my @same = $t->workers;
unlink "$b/lock.mdb" or die $!;
ok $t->wait_for(sub { get('b'); -e "$b/lock.mdb" }), 'a removed lock.mdb is made again although there are only reads';
like $t->log, qr/\[crit\].*"\Q$b\E" must be reopened: its lock.mdb was removed/,
    'the error log says that lock.mdb was removed';
ok $t->wait_for(sub { create('b', 'new-lock')->{status} == 201 }), 'a store is written after its lock.mdb was removed';
is "@{[$t->workers]}", "@same", 'the same worker serves the store after its lock.mdb was removed';
is +($t->scimctl('verify'))[0], 0, 'verify finds no problem after lock.mdb was removed';

rename "$b/data.mdb", "$t->{dir}/away" or die $!;
ok $t->wait_for(sub { get('b')->{status} == 503 }), 'a read is refused with 503 after data.mdb was removed';
is_503 create('b', 'nowhere'), 'a write after data.mdb was removed';
$t->kill_worker($t->workers);
is_503 get('b'), 'a read by a restarted worker after data.mdb was removed';
$t->reload(gone => 1);
is_503 get('b'), 'a read after a reload after data.mdb was removed';
my ($status, undef, $error) = $t->scimctl('tenant', 'add', 'other');
is $status, 3, 'scimctl exits with 3 after data.mdb was removed';
like $error, qr/is gone: its data\.mdb was removed; .* to begin with an empty store, remove lock\.mdb/,
    'scimctl says that data.mdb was removed and what to do';
($status, undef, $error) = $t->scimctl(qw(tenant list));
is $status, 3, 'scimctl tenant list exits with 3 after data.mdb was removed';
like $error, qr/is gone: its data\.mdb was removed; put it back, or restore a backup/,
    'scimctl tenant list does not say that there is no store yet';
ok !-e "$b/data.mdb", 'neither nginx nor scimctl makes a new data.mdb';
$own->($t->write_file('b/data.mdb', ''));
$t->kill_worker($t->workers);
is_503 get('b'), 'a read with an empty data.mdb';
ok -z "$b/data.mdb", 'an empty data.mdb is left empty';
rename "$t->{dir}/away", "$b/data.mdb" or die $!;
ok $t->wait_for(sub { get('b')->{status} == 200 }, 10), 'the store is served again after data.mdb is put back';
ok found('new-lock'), 'an acknowledged write is in data.mdb after it is put back';

mkdir "$t->{dir}/both" or die $!;
rename "$b/$_", "$t->{dir}/both/$_" or die $! for qw(data.mdb lock.mdb);
ok $t->wait_for(sub { get('b')->{status} == 503 }), 'a read of a store without data.mdb and lock.mdb is answered with 503';
$t->kill_worker($t->workers);
is_503 get('b'), 'a read of a store without files by a worker that replaces a killed one';
is_503 create('b', 'nowhere'), 'a write to a store without files by a worker that replaces a killed one';
ok !-e "$b/data.mdb", 'a worker that replaces a killed one does not create a store';
rename "$t->{dir}/both/$_", "$b/$_" or die $! for qw(data.mdb lock.mdb);
ok $t->wait_for(sub { get('b')->{status} == 200 }, 10), 'a store is served again after both files are put back';
ok found('new-lock'), 'the store has the acknowledged write after both files are put back';

fault 'a FIFO as data.mdb', qr/\[error\].*"\Q$b\E\/data\.mdb" is not a regular file/, sub {
    rename "$b/data.mdb", "$t->{dir}/away" or die $!;
    require POSIX;
    POSIX::mkfifo("$b/data.mdb", 0600) or die $!;
    $own->("$b/data.mdb");
}, sub { rename "$t->{dir}/away", "$b/data.mdb" or die $! };

# --- a start of nginx with a broken store

$t->quit;
chown 0, 0, $b or die $!;
$t->start;
is_503 get('b'), 'a read of a store that is broken when nginx starts';
is get('a')->{status}, 200, 'another store is served when nginx starts with a broken one';
$own->($b);
ok $t->wait_for(sub { get('b')->{status} == 200 }, 10),
    'a store that was broken when nginx started is served after its repair';

$t->finish;
